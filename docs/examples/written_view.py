import json

import prefect_worklets as pw

answer = pw.ui.State("answer", scope="user")
length = pw.ui.Slider("Petal length", min=1, max=7, step=0.1, value=4.3, unit="cm")
width = pw.ui.Slider("Petal width", min=0.1, max=3, step=0.1, value=1.3, unit="cm")

view = pw.view(
    "which-iris",
    title="Which iris is it?",
    pages=[
        pw.page(
            "Measure",
            [
                pw.ui.Markdown("Measure a flower and read its name."),
                [length, width],
                pw.ui.Button(
                    "Say which",
                    busy=answer.loading,
                    on_click=pw.ui.run("which_iris", answer, input={"length": length, "width": width}),
                ),
                pw.ui.Card(
                    [
                        pw.ui.Text(answer["species"].otherwise("Not measured yet"), style="heading"),
                        pw.ui.Text(pw.ui.expr("'Area: ' + str(round(a * b, 1))", a=length, b=width)),
                    ],
                    title="Result",
                ),
                pw.ui.Alert(problem=answer.error),
            ],
        ),
        pw.page("Earlier", [pw.ui.Table(pw.ui.table("irises"), label="Your flowers")]),
    ],
)

if __name__ == "__main__":
    for page in view.document["pages"]:
        for part in page["components"]:
            print(page["title"], part["id"], json.dumps(part.get("bindings", {})))
