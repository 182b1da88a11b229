"""What this proxy passes on, says, believes, repeats and refuses. Pure judgement: values in, values out."""
