"""A node that reads saved rows with SQL."""
import prefect_worklets as pw

# --8<-- [start:query]
LARGER = """
    select data ->> 'species' as species, count(*) as flowers
    from table_row
    where table_name = 'flowers' and cast(data ->> 'size' as real) > :size
    group by 1 order by 1
"""


@pw.node
def in_words(rows: list[dict[str, str | int]]) -> list[str]:
    return [f"{row['flowers']} of {row['species']}" for row in rows]


@pw.worklet
def larger_than(size: float) -> list[str]:
    return in_words(pw.query(LARGER, name="larger")(size=size))
# --8<-- [end:query]


assert larger_than.graph.edges == [("larger", "in_words")]
assert list(larger_than.graph.node("larger").arguments) == ["size"]
