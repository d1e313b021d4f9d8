/* Keys: what makes two rows of a rule the same message, and what makes two SQL texts the same. Pure. */
#pragma once
#include "lib/base.h"

#define KEY_SIZE     16
#define KEY_HEX_SIZE 33

/* First 16 bytes of SHA-256 over the rule's name and the values of its once_per columns, each with its length
 * before it, so that no two lists of values ("ab","c" and "a","bc") give the same bytes. No value is NULL. */
struct key_maker; /* keeps the digest's context from row to row; one thread */
struct key_maker *key_maker_new(const char *rule);
void key_maker_free(struct key_maker *k);
void key_make(struct key_maker *k, const char *const *values, size_t count, uint8_t out[KEY_SIZE]);
char *key_hex(const uint8_t key[KEY_SIZE], char out[KEY_HEX_SIZE]);

#define SQL_HASH_SIZE 65
/* SHA-256 in hex of the SQL text with each run of white space folded into one space and none at the ends. */
char *sql_hash(const char *sql, char out[SQL_HASH_SIZE]);
