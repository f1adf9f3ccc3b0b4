"""The pages of a study: report.json, report.html and summaries.html.

To read in this order: `report` (the JSON), `report_page` and `sections` (the page of the comparison), `summary_figures`
and `summary_page` (the page of stage 1), `environment` (the templates) and `plots`.

Other rooms use `report.build_report` and `summary_page.write_page`.
"""
