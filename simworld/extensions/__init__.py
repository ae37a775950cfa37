"""What other packages add: agents, judges, backends, learners, rewards, measures, found by their
entry points and named in YAML (docs/design/007-extension-points.md).

extension_table     one table for each extension point: simworld's own entries, and installed ones
installed           what distributions declare; nothing of theirs is imported
load                one entry imported, or one line that says why not
extension_content   the hash of its code, which ids are made of
import_permission   dotted paths, which need `--allow-import`
extension_fields    the keys that name one in a file, and its settings
"""

from simworld.extensions.extension_fields import (
    STORED,
    check_pin,
    check_settings,
    drop_extension_fields,
    extension_name,
    pin_field,
    settings_field,
)
from simworld.extensions.extension_table import Entry, ExtensionTable, NoSettings
from simworld.extensions.import_permission import imports_allowed
from simworld.extensions.installed import InstalledExtension, installed_extensions

__all__ = [
    "STORED",
    "Entry",
    "ExtensionTable",
    "InstalledExtension",
    "NoSettings",
    "check_pin",
    "check_settings",
    "drop_extension_fields",
    "extension_name",
    "imports_allowed",
    "installed_extensions",
    "pin_field",
    "settings_field",
]
