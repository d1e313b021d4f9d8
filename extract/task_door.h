/* Tasks' signs that come by sms.request: the door's way to task_sign, on a connection of its own. */
#pragma once
#include "lib/base.h"
#include "lib/conf.h"

struct history_guard;
struct task_door;
struct task_door *task_door_new(const struct conf_main *conf, struct history_guard *history);
void task_door_free(struct task_door *t);
/* door_options.task_ready, with the struct as its arg; one thread at a time. */
int task_door_sign(void *arg, const char *task_id, char **ret_why);
