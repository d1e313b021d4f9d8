/* The table of subcommands: what `smschain --help` lists and what each tells of itself. */
#include "ctl/ctl.h"

#define CODES_DB "Exit codes: 0 done, 1 refused, 2 usage, 4 database not reachable, 5 bad configuration.\n"

const struct ctl_command ctl_commands[] = {
    {"migrate", cmd_migrate, "make or bring up to date the tables, roles, queues and users",
     " [--database | --broker]\n"
     "Applies the migrations that are missing, makes the day partitions ahead, gives the services' roles "
     "their\n"
     "passwords, declares exchange and queues, makes the broker's users. Running it again changes nothing.\n"
     "  --database   only that\n"
     "  --broker     only that\n"
     "Needs the administrators' secrets: database.admin_user, broker.admin_user.\n"
     "Example:\n"
     "  smschain migrate --conf /etc/smschain\n"
     "Exit codes: 0 done, 1 refused (an applied migration was changed), 2 usage, 4 not reachable,\n"
     "5 bad configuration.\n"},
    {"check", cmd_check, "read the whole configuration and say all its errors",
     " [--section NAME]\n"
     "Reads every file, also across files. With --section only the secrets of that service must be there\n"
     "(extract, render, dispatch, callback, operator).\n"
     "Examples:\n"
     "  smschain check --conf conf\n"
     "  smschain check --section dispatch\n"
     "Exit codes: 0 all good, 2 usage, 5 errors (on standard error).\n"},
    {"config", cmd_config, "print the effective configuration, secrets hidden",
     " [--reference]\n"
     "  --reference  print docs/reference.md instead: every key, its type, default and help\n"
     "Example:\n"
     "  smschain config | less\n"
     "Exit codes: 0 done, 2 usage, 5 bad configuration.\n"},
    {"plan", cmd_plan, "what a run of a rule would be, and cost, without sending or entering anything",
     " RULE [--at TIME] [--sample N] [--json]\n"
     "Reads the rule's source as a run would (read only) and tells: recipients, rows that make no message and why,\n"
     "render errors with the rows' keys, segments and encodings, the characters that force UCS-2, the cost by the\n"
     "gateways' prices, the time at their rates, the difference to the last run, and the first texts, with masked\n"
     "numbers. Needs the secrets of extract (the sources') and of operator.\n"
     "  --at TIME    as if fired then (the SQL reads what is there now): 2026-01-31T08:15:00Z\n"
     "  --sample N   so many texts (default 3, at most 1000)\n"
     "Example:\n"
     "  smschain plan repayment-reminder --sample 10\n"
     "Exit codes: 0 it would go out as it is, 1 no such rule, or its SQL or a column is wrong, 2 usage, 3 mind what is\n"
     "said: render errors, stale messages, a hold, a missing price; 4 database or source not reachable,\n"
     "5 bad configuration.\n"},
    {"run", cmd_run, "fire a rule now",
     " RULE\n"
     "Enters a run of that rule for this moment; extract takes it up within a second. Prints the run's id.\n"
     "Example:\n"
     "  smschain run repayment-reminder\n"
     "Exit codes: 0 entered, 1 no such rule, or extract has not seen it yet, 2 usage, 3 entered but held\n"
     "(smschain accept RULE), 4 database not reachable, 5 bad configuration.\n"},
    {"status", cmd_status, "where everything stands",
     " [--json] [--watch]\n"
     "Runs of the last day with their balance and the states of their messages, services, queues, and what "
     "waits\n"
     "for a person.\n"
     "  --json    one object\n"
     "  --watch   every second until Ctrl-C\n"
     "Example:\n"
     "  smschain status --watch\n"
     "Exit codes: 0 all is well, 2 usage, 3 something waits for a person (in doubt, held, failed, paused, "
     "given\n"
     "up, dead), 4 database not reachable, 5 bad configuration.\n"},
    {"stop", cmd_stop, "pause everything, a rule or a gateway",
     " all | RULE | --gateway GATEWAY  [--reason TEXT]\n"
     "Nothing new is claimed for it from the next claim on; what is on its way goes on. Nothing is lost: "
     "its\n"
     "messages wait, and go stale after the rule's valid_for.\n"
     "Examples:\n"
     "  smschain stop repayment-reminder --reason \"wrong amounts\"\n"
     "  smschain stop --gateway beta\n" CODES_DB},
    {"start", cmd_start, "end such a pause",
     " all | RULE | --gateway GATEWAY\n"
     "Example:\n"
     "  smschain start --gateway beta\n" CODES_DB},
    {"release", cmd_release, "let a held run go on",
     " RUN\n"
     "RUN is the number that status shows. For runs over max_recipients this is a person's yes to all of "
     "them.\n"
     "Example:\n"
     "  smschain release 4711\n"
     "Exit codes: 0 released, 1 no such run or it is not held, 2 usage, 4 database not reachable,\n"
     "5 bad configuration.\n"},
    {"cancel", cmd_cancel, "see to it that a run's or one message's sending ends",
     " RUN | --message SMS_ID  [--reason TEXT]\n"
     "What has been claimed already goes out; everything else of it ends as cancelled. Cannot be taken "
     "back.\n"
     "Example:\n"
     "  smschain cancel 4711 --reason \"the wrong list\"\n" CODES_DB},
    {"accept", cmd_accept,
     "accept a rule that is new over a known SQL text or keys differently",
     " RULE\n"
     "Stores the rule's once_per as it is configured now and lets its held runs go.\n"
     "Example:\n"
     "  smschain accept repayment-reminder\n"
     "Exit codes: 0 accepted, 1 no such rule, or nothing to accept, 2 usage, 4 database not reachable,\n"
     "5 bad configuration.\n"},
    {"resolve", cmd_resolve, "list what is in doubt, or settle one message by what a person knows",
     " [--json]\n"
     "       smschain resolve SEQ_ID delivered | undelivered | rejected | unknown  [--note TEXT]\n"
     "Without arguments: every message in doubt. With them: its final state is told to the chain, in the "
     "name of\n"
     "a person. It is never sent again, whatever is said here.\n"
     "Example:\n"
     "  smschain resolve 173242361217025.1.1 delivered --note \"ticket 4711\"\n"
     "Exit codes: 0 nothing is in doubt, or settled (it shows within flush_interval), 1 not in doubt, 2 "
     "usage,\n"
     "3 the list is not empty, 4 database or broker not reachable, 5 bad configuration.\n"},
    {"suppress", cmd_suppress, "numbers that get nothing: add, remove, list, import, export",
     " add NUMBER [--scope all | marketing] [--reason TEXT]\n"
     "       smschain suppress remove NUMBER [--scope all | marketing]\n"
     "       smschain suppress list [NUMBER] [--scope all | marketing] [--limit N] [--whole-number] "
     "[--json]\n"
     "       smschain suppress import FILE [--scope all | marketing] [--reason TEXT] [--skip-bad]\n"
     "       smschain suppress export [FILE]\n"
     "Scope all (default) blocks everything, marketing only templates of that class. Counts from the next "
     "claim\n"
     "on, also for messages that are on their way already.\n"
     "FILE is CSV: number[,scope[,reason[,since]]], with or without a head line; - is standard input or "
     "output.\n"
     "All of a file is imported, or nothing of it: bad lines are told with file:line. --skip-bad leaves them "
     "out.\n"
     "export writes what import reads, with whole numbers.\n"
     "Examples:\n"
     "  smschain suppress add +491711234567 --scope marketing --reason \"ticket 4711\"\n"
     "  smschain suppress import blocked.csv --scope marketing --reason \"national register\"\n"
     "Exit codes: 0 done, 1 refused (no number, bad lines, no such file), 2 usage, 3 imported, but bad lines "
     "were\n"
     "left out, 4 database not reachable, 5 bad configuration.\n"},
    {"try", cmd_try, "send one message by a gateway and show all that was said",
     " GATEWAY --to NUMBER [--text TEXT] [--sender SENDER] [--yes] [--json]\n"
     "One real message by the gateway's own driver, outside ledger, queues, claims and balance; it leaves a "
     "line in\n"
     "the log. Shows the request and the answer with secrets hidden, the outcome, and which line of answer: "
     "it was\n"
     "decided by. Needs the secrets of dispatch. A report that comes for it finds no message: it is parked.\n"
     "  --yes   do not ask\n"
     "Example:\n"
     "  smschain try beta --to +491711234567 --text \"Hello from smschain\"\n"
     "Exit codes: 0 accepted, 1 refused, not sent or not confirmed, 2 usage, 3 in doubt, 5 bad "
     "configuration.\n"},
    {"why", cmd_why, "what became of a number: every message to it, and why not",
     " NUMBER [--rule RULE] [--since TIME] [--limit N] [--whole-number] [--json]\n"
     "Every message to the number with its story and what it waits for or why it ended so; every row of it "
     "that\n"
     "became no message (duplicate of which run, suppressed, invalid); and what the rules' runs made of it, "
     "also\n"
     "that it was not in a result, with the file and line of the rule's SQL. The number is masked.\n"
     "  --rule     only that rule, and all its runs instead of the last one of each rule\n"
     "  --since    runs that are so old at most: 90s, 15m, 2h, 3d (default 7d)\n"
     "  --limit    so many messages, rows and runs at most (default 50)\n"
     "NUMBER may also be what stands in the number's column and is none: invalid rows are found by it.\n"
     "Examples:\n"
     "  smschain why 0171-1234567\n"
     "  smschain why +491711234567 --rule repayment-reminder --since 30d\n" CODES_DB},
    {"dead", cmd_dead, "bodies that no service could process: look, give back, drop",
     " list [--all] [--queue QUEUE] [--json]\n"
     "       smschain dead show ID [--whole] [--json]\n"
     "       smschain dead replay ID… | --all [--queue QUEUE]  [--to QUEUE]\n"
     "       smschain dead drop ID… | --all [--queue QUEUE] [--yes]  --reason TEXT\n"
     "First of all, what stands in the queue sms.dead is moved into the table `dead`: nothing is lost or "
     "reordered\n"
     "by looking. replay gives a body back to the queue it came from (or --to another), each exactly once. "
     "One that\n"
     "dies again says so (state again); --all leaves it alone, only its ID replays it.\n"
     "  --all      list: the settled ones too; replay: all that wait; drop: all that wait or died again\n"
     "  --queue    only bodies that came from there\n"
     "  --whole    numbers and codes unmasked\n"
     "Examples:\n"
     "  smschain dead list\n"
     "  smschain dead replay --all --queue sms.update.0\n"
     "  smschain dead drop 17 18 --reason \"sent by a test\"\n"
     "Exit codes: 0 done, nothing waits, 1 refused, 2 usage, 3 done, and some wait (list) or were left "
     "(replay),\n"
     "4 database or broker not reachable, 5 bad configuration.\n"},
    {"quarantine", cmd_quarantine, "what gateways posted and nobody could read: look, read again, drop",
     " list [--gateway GATEWAY] [--json]\n"
     "       smschain quarantine show ID [--whole] [--json]\n"
     "       smschain quarantine replay ID… | --all [--gateway GATEWAY]\n"
     "       smschain quarantine drop ID…\n"
     "replay reads the bodies again by the configuration as it is now: mend the gateway's file first. What "
     "is\n"
     "understood is told as if it had just come, with the time when it really came, once; what is not stays, "
     "with\n"
     "the reason of this time.\n"
     "  --whole    numbers and codes unmasked\n"
     "Examples:\n"
     "  smschain quarantine list --gateway alpha\n"
     "  smschain quarantine replay --all --gateway alpha\n"
     "Exit codes: 0 done, 1 refused, 2 usage, 3 done, and some are in quarantine (list) or stay there "
     "(replay),\n"
     "4 database not reachable, 5 bad configuration.\n"},
    {"requeue", cmd_requeue, "let messages leave again whose bodies were lost with a queue",
     " --run RUN | --message SMS_ID  [--older-than TIME] [--dry-run] [--json]\n"
     "       smschain requeue --older-than TIME [--dry-run] [--json]\n"
     "Open messages without an open claim are given to their queue again, from the bodies that the outbox "
     "keeps\n"
     "(extract.outbox_keep). Nothing is sent twice: every copy has to pass the claim. Needed only after a "
     "queue's\n"
     "content was lost; a message that merely waits in a queue gains nothing by it.\n"
     "  --older-than   only those that nothing was told of for so long: 90s, 15m, 2h, 3d\n"
     "  --dry-run      only counts: open, would go, of these expired (they end as stale), waiting in the "
     "outbox,\n"
     "                 without a body\n"
     "Examples:\n"
     "  smschain requeue --older-than 2h --dry-run\n"
     "  smschain requeue --run 4711\n"
     "Exit codes: 0 done, 1 refused, 2 usage, 3 done, but some have no body any more, 4 database not "
     "reachable,\n"
     "5 bad configuration.\n"},
    {"accept-database", cmd_accept_database, "go on after the database was restored or failed over",
     " --since TIME [--yes]\n"
     "TIME: the moment from which on the database may have lost what it knew. Every message without an "
     "outcome is\n"
     "put in doubt (never sent again by the machine), every rule is held until it is accepted, firings since "
     "then\n"
     "are skipped, new sms_ids begin above any that may have been lost. Then the services go on.\n"
     "  --yes   do not ask\n"
     "Example:\n"
     "  smschain accept-database --since 2026-01-31T08:15:00Z\n"
     "Exit codes: 0 done, nothing waits, 1 not confirmed, 2 usage, 3 done, rules are held or messages in "
     "doubt,\n"
     "4 database not reachable, 5 bad configuration.\n"},
    {0},
};
