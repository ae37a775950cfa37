"""Hostile SQL for `db query`: writes, escapes, and single steps that would keep a processor or a
memory busy for ever."""

from __future__ import annotations

import random

WRITES = (
    "DELETE FROM episodes", "DROP TABLE runs", "UPDATE runs SET name = 'x'",
    "INSERT INTO agents VALUES (1, 2, 3)", "CREATE TABLE x (y)", "PRAGMA writable_schema = ON",
    "PRAGMA journal_mode = DELETE", "ATTACH DATABASE '/tmp/x.db' AS x", "VACUUM INTO '/tmp/x.db'",
    "VACUUM", "REINDEX", "SELECT load_extension('x')", "SELECT writefile('/tmp/x', 'y')",
    "SELECT readfile('/etc/passwd')", "SELECT 1; DELETE FROM runs", "BEGIN; SELECT 1",
    "WITH x AS (SELECT 1) DELETE FROM runs", "EXPLAIN DELETE FROM runs", "COMMIT", "SAVEPOINT x",
    "DETACH main", "ANALYZE", "SELECT * FROM pragma_database_list",
    "SELECT fts3_tokenizer('simple')",
)  # fmt: skip
HEAVY = (
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT {what} FROM c",
    (
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT {n}) SELECT count(*)"
        " FROM c a, c b, c d"
    ),
    "SELECT hex(zeroblob({n}00000))",
    "SELECT length(replace(hex(zeroblob({n}0000)), '0', hex(zeroblob({n}))))",
    "SELECT printf('%*d', {n}000000, 1)",
    "SELECT group_concat(a.text || b.text) FROM acts a, acts b, acts c, acts d",
    "SELECT '{a}' LIKE '{p}b'",
    "SELECT '{a}' GLOB '{g}b'",
    "SELECT text FROM acts WHERE (text || text || text || '{a}') LIKE '{p}b'",
    "SELECT randomblob({n}00000) FROM acts a, acts b, acts c",
    "SELECT zeroblob({n}00000) FROM acts a, acts b",
    "SELECT json_group_array(a.text || b.text) FROM acts a, acts b, acts c, acts d",
    (
        "SELECT value FROM json_each('[' || substr(replace(hex(zeroblob({n}0000)), '00', '1,'), 3)"
        " || '1]')"
    ),
    "SELECT a.text FROM acts a, acts b, acts c, acts d, acts e ORDER BY 1",
    "SELECT {deep}",
    "SELECT {ors} FROM acts",
    "SELECT * FROM acts a JOIN acts b JOIN acts c JOIN acts d JOIN acts e JOIN acts f",
    "SELECT 1 {unions}",
    "SELECT regexp_replace('x', 'x', 'y')",
    "SELECT '{nul}', x'00ff', 1e999, -1e999, 9223372036854775807 + 1",
)
BROKEN = (
    "SELECT",
    "SELECT (",
    "",
    ";",
    "--",
    "/*",
    "SELECT * FROM none",
    "SELECT :x, ?1, @y",
    "\x00",
    "SELECT '",
    "SELECT 1 FROM runs LIMIT -1 OFFSET x",
    "SELECT \ud800",
)


def hostile(chance: random.Random) -> str:
    """One statement."""
    kind = chance.choice((WRITES, HEAVY, HEAVY, BROKEN))
    text = chance.choice(kind)
    if kind is not HEAVY:
        return text
    n = chance.choice((1, 10, 1000, 9999))
    return (
        text.replace(
            "{what}",
            chance.choice(("x", "count(*)", "sum(x)", "hex(randomblob(1000))", "group_concat(x)")),
        )
        .replace("{n}", str(n))
        .replace("{a}", "a" * n)
        .replace("{p}", "%a" * min(n, 2000))
        .replace("{g}", "*a" * min(n, 2000))
        .replace("{deep}", "(" * n + "1" + ")" * n)
        .replace("{ors}", " OR ".join(["text LIKE '%a%'"] * min(n, 2000)))
        .replace("{unions}", "UNION ALL SELECT 1 " * min(n, 2000))
        .replace("{nul}", "\u0001")
    )
