"""Control of running work: directives, rollback, plans made by people and the kill switch."""
