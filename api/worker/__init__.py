"""The process that carries readings on and tidies up."""
