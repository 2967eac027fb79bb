"""The shop's pages: they translate what a browser sends into verbs, and render what there is. They decide nothing."""
