worklets views new "Refunds" --template review-inbox --from-worklet refund
worklets views publish refunds
