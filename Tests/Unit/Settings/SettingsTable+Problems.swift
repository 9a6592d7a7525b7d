import Settings

extension SettingsTable {
    /// Reads a settings file of this text.
    func read(_ text: String, at path: String) throws(SettingsError) -> SettingsInForce<Root> {
        try read(file: SettingsFile(path: path, bytes: Array(text.utf8)))
    }

    /// The lines of the error for a settings file of this text; none if it can be used.
    func problems(of text: String, at path: String) -> [String] {
        do throws(SettingsError) {
            _ = try read(text, at: path)
            return []
        } catch {
            return error.lines
        }
    }
}
