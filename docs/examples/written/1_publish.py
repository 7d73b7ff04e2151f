import prefect_worklets as pw

side = pw.ui.Slider("Side", min=1, max=9, value=3, unit="cm")
area = pw.ui.Text(pw.ui.expr("str(a * a) + ' cm²'", a=side), style="heading")
view = pw.view("square", [pw.page("Square", [[side, area]])])

print(view.publish())
