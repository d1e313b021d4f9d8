"""The sample business database: what is filled in for a rule is found by that rule and by no other, however the numbers
are written; the same rows come out of the same call; and an older version's tables become the present ones."""
import pytest
from chain import FEW_RULES
from shop import FIRST_NUMBER, RULES, SHARES, Shop, rule_sql


@pytest.fixture
def shop(lab):
    made = Shop(lab)
    made.create()
    yield made
    made.drop()


def test_every_rule_finds_its_own_rows(shop):
    wanted = {rule: 20 + i for i, rule in enumerate(RULES)}
    for rule, rows in wanted.items():
        shop.add(rule, rows)
    assert shop.counts() == wanted


def test_numbers_are_written_as_people_do(shop):
    ids = list(shop.add("order-shipped", 8))
    phones = [phone for phone, in shop.sql("SELECT phone FROM customer ORDER BY id")]
    e164 = {phone[2:] if phone.startswith("00") else "49" + phone[1:] if phone.startswith("0") else phone[1:]
            for phone in (p.replace(" ", "").replace("/", "") for p in phones)}
    assert e164 == {str(FIRST_NUMBER + i) for i in ids}
    assert {phone[:2] for phone in phones} == {"+4", "01", "00"}


def test_the_same_call_makes_the_same_rows(lab, shop):
    other = Shop(lab)
    other.create()
    try:
        for one in (shop, other):
            one.fill(200)
        for rule in ("holiday-wishes", "birthday", "low-balance", "appointment-tomorrow", "policy-renewal"):
            assert shop.sql(rule_sql(rule)) == other.sql(rule_sql(rule))
    finally:
        other.drop()


def test_names_differ(shop):
    """Messages of equal text would share a request, and tests that count requests would be wrong."""
    shop.add("holiday-wishes", 20000)
    assert shop.sql("SELECT count(DISTINCT name), max(length(name)) <= 40 FROM customer") == [(20000, True)]


@pytest.mark.parametrize("n", [1, 7, 12, 59, 1000, 999999])
def test_split_adds_up(n):
    assert sum(SHARES.values()) == 1000
    for rules in (None, FEW_RULES):
        parts = Shop.split(n, rules)
        assert sum(parts.values()) == n and min(parts.values()) >= 0


def test_tables_of_an_older_version(lab):
    shop = Shop(lab)
    try:
        shop.sql("CREATE TABLE customer (id bigint PRIMARY KEY, name varchar(100), phone varchar(40), language varchar(8) NOT NULL "
                 "DEFAULT 'en', marketing_ok boolean NOT NULL DEFAULT false)")
        shop.sql("INSERT INTO customer VALUES (1, 'Customer 1', '+491700000001', 'en', true)")
        shop.create()
        shop.create()
        shop.add("birthday", 3)
        assert shop.counts()["birthday"] == 3 and shop.counts()["holiday-wishes"] == 1
    finally:
        shop.drop()
