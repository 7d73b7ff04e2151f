curl --silent --fail-with-body "$WORKLETS_URL/api/models/celsius/predict" \
  --header "Authorization: Bearer $WORKLETS_KEY" \
  --json '{"inputs": 212}'
