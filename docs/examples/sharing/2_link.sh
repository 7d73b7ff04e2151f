worklets views share stylize --expires 7d --label "The spring fair"
