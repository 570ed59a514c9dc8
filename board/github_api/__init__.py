"""REST in GitHub's dialect: repositories, issues, comments, search, and the board's own things."""
