flower='{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}'
worklets invoke which_iris --json "$flower"
curl --silent --fail-with-body "$WORKLETS_URL/api/worklets/which_iris/invoke" \
  --header "Authorization: Bearer $WORKLETS_KEY" --json "$flower"
