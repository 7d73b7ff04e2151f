import prefect_worklets as pw

# --8<-- [start:conditions]
answer = pw.ui.State("answer")
gift = pw.ui.Checkbox("It is a present")
wrapping = pw.ui.Card([pw.ui.TextInput("Words on it")], title="Gift wrap", visible_if=gift)
again = pw.ui.Button(
    "Again",
    visible_if="session.answer",
    on_click=pw.ui.run("price", answer, when="user.role != 'viewer'"),
)
# --8<-- [end:conditions]

view = pw.view("order", title="Order", pages=[pw.page("Order", [gift, wrapping, again])])
