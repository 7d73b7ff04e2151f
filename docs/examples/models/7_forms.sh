curl --silent --fail-with-body "$WORKLETS_URL/api/models/irises/predict" \
  --header "Authorization: Bearer $WORKLETS_KEY" \
  --header "Content-Type: application/x-npy" --header "Accept: application/x-npy" \
  --data-binary @rows.npy --output species.npy

curl --silent --fail-with-body "$WORKLETS_URL/api/models/irises/predict" \
  --header "Authorization: Bearer $WORKLETS_KEY" --form X=@rows.npy
