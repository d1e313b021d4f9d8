"""The model of a message in parts: where it stands, out of where its segments stand (docs/design.md, "Messages in parts")."""

NOT_SENT = (40, 41, 42, 43)           # stale, suppressed, cancelled, render_error
FAILED = (60, 70, 80)                 # expired, rejected, undelivered
LEFT = (20, 30, 50, 60, 70, 80, 90)   # the gateway has it, or may have it
ARRIVES = (30, 50, 90)                # accepted, unknown, delivered


def message_of(stands, parts):
    """stands: {segment: (state, attempt, gateway, reason, at)}, missing ones were told nothing of. The message's, the same way;
    None: nothing was told of any."""
    told = [stands[s] for s in range(1, parts + 1) if s in stands and stands[s][0] != 0]
    if not told:
        return None
    left = any(s[0] in LEFT for s in told)
    failed = [(80 if s[0] in NOT_SENT else s[0], *s[1:]) for s in told if s[0] in FAILED or (left and s[0] in NOT_SENT)]
    if failed:
        state, attempt, gateway, reason, at = max(failed, key=lambda s: (s[0], -s[4]))  # the first of the worst
        partial = any(s[0] in ARRIVES for s in told)
        return state, attempt, gateway, "partial:" + reason if partial else reason, at
    lowest = min(told, key=lambda s: (s[0], -s[4]))  # the last one to get so far
    if len(told) < parts and lowest[0] > 10:
        return 10, lowest[1], lowest[2], "", lowest[4]
    return lowest
