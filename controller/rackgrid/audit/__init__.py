"""The auditor: checks a record of what a node decided, sharing no code with what decided it.

It knows the rules as DESIGN.md states them (sections 4 and 7) and the lines of a record, and
nothing else: it imports nothing of the controller, and an import contract holds that. A fault in
the clearing or in the agent's judgement therefore cannot excuse itself here.
"""
