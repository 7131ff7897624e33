"""Small, faithful runners of GitHub's workflows and actions and of GitLab's jobs: shell steps run for real.

What they do is what the documentation of both says: which shell, which files of commands, what becomes of a failed
step, who is given an identity token. Actions of others (checkout, uploads) are stood in for.
"""
