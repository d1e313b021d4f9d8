/* Named points at which a test can kill the process (docs/design.md, "what dies when").
 *   SMSCHAIN_FAULT=dispatch.claimed:3   SIGKILL at the third time this point is reached
 *   SMSCHAIN_FAULT_STOP=1               SIGSTOP there instead: the test continues it later
 *   SMSCHAIN_FAULT_COUNT=FILE           appends "name<TAB>count" for every point reached, at a clean exit
 * Compiled to nothing unless meson -Dfaults=true. Names are service.point, each used in one place. */
#pragma once

#ifdef SMSCHAIN_FAULTS
void fault_reached(const char *name);
#define FAULT(name) fault_reached(name)
#else
#define FAULT(name) ((void)0)
#endif
