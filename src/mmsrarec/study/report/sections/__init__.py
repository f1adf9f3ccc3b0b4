"""The sections of the pages: functions from report.json, or the figures of stage 1, to the data of a template."""
