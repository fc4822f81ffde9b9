"""GraphQL documents. Each asks only for what `reading` reads; all are held to GitHub's published schema."""

STATE = """
query State($ids: [ID!]!) {
  rateLimit { cost remaining resetAt }
  nodes(ids: $ids) {
    ... on PullRequest {
      id number title body url state isDraft createdAt updatedAt viewerDidAuthor
      headRefName headRefOid baseRefName
      mergeable mergeStateStatus reviewDecision isInMergeQueue
      autoMergeRequest { enabledAt }
      additions deletions changedFiles
      commits { totalCount }
      author { login }
      reviewRequests(first: 20) {
        nodes { requestedReviewer { __typename ... on User { login } ... on Bot { login } ... on Team { slug } } }
      }
      latestReviews(first: 20) { nodes { state submittedAt author { login } } }
    }
  }
}
"""

BY_BRANCH = """
query ByBranch($owner: String!, $repo: String!, $branch: String!) {
  rateLimit { cost remaining resetAt }
  repository(owner: $owner, name: $repo) {
    pullRequests(headRefName: $branch, first: 10, orderBy: {field: UPDATED_AT, direction: DESC}) {
      nodes {
        id number title url state isDraft headRefName headRefOid baseRefName createdAt
        headRepositoryOwner { login }
      }
    }
  }
}
"""

LANDING = """
query Landing($id: ID!, $owner: String!, $repo: String!) {
  rateLimit { cost remaining resetAt }
  node(id: $id) { ... on PullRequest { mergedAt mergeCommit { oid } } }
  repository(owner: $owner, name: $repo) {
    deployments(first: 30, orderBy: {field: CREATED_AT, direction: DESC}) {
      nodes { commitOid environment createdAt latestStatus { state createdAt } }
    }
    releases(first: 5, orderBy: {field: CREATED_AT, direction: DESC}) {
      nodes { tagName publishedAt isDraft isPrerelease }
    }
  }
}
"""

REPOSITORY = """
query Repo($owner: String!, $repo: String!) {
  repository(owner: $owner, name: $repo) { id nameWithOwner viewerPermission defaultBranchRef { name } }
}
"""

CHECKS = """
query Checks($id: ID!, $number: Int!, $after: String) {
  rateLimit { cost remaining resetAt }
  node(id: $id) {
    ... on PullRequest {
      headRefOid
      statusCheckRollup {
        state
        contexts(first: 100, after: $after) {
          totalCount
          pageInfo { hasNextPage endCursor }
          nodes {
            __typename
            ... on CheckRun {
              databaseId name status conclusion startedAt completedAt detailsUrl title
              isRequired(pullRequestNumber: $number)
              checkSuite { app { slug name } workflowRun { databaseId event workflow { name } } }
            }
            ... on StatusContext {
              context state description targetUrl createdAt isRequired(pullRequestNumber: $number)
            }
          }
        }
      }
    }
  }
}
"""

THREADS = """
query Threads($id: ID!, $after: String) {
  rateLimit { cost remaining resetAt }
  node(id: $id) {
    ... on PullRequest {
      reviewThreads(first: 50, after: $after) {
        totalCount
        pageInfo { hasNextPage endCursor }
        nodes {
          id isResolved isOutdated subjectType path diffSide line startLine originalLine originalStartLine
          comments(first: 50) {
            totalCount
            nodes { id url body diffHunk createdAt isMinimized author { login } authorAssociation viewerDidAuthor }
          }
        }
      }
    }
  }
}
"""
