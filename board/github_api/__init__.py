"""The API in GitHub's dialect: repositories, issues, comments, search."""
