"""Turn a trained model into an API, a workflow and a page that people use."""
