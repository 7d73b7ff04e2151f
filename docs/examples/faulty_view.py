import prefect_worklets as pw

size = pw.ui.Slider("Size", min="small", max=10)

try:
    pw.view(
        "faulty",
        pages=[
            pw.page(
                "Main",
                [
                    size,
                    pw.ui.Number("Half", value=pw.ui.component(size, value="valeu")),
                    pw.ui.Button("Go", on_click=pw.ui.set_state("session.nowhere", 1)),
                ],
            )
        ],
    )
except pw.DefinitionError as error:
    print(error)
