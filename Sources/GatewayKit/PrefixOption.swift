/// The one option that a line of the device list, or of the invitations, may have: `prefix=KEYS/`.
enum PrefixOption {
    private static let name = "prefix="

    /// What stands behind the other fields of a line; nothing, for any key.
    static func text(_ prefix: String) -> String { prefix.isEmpty ? "" : "  \(name)\(prefix)" }

    /// - Parameter options: the fields of a line behind those that it must have. The last one counts.
    /// - Returns: the prefix, or the option that is not known.
    static func read(_ options: some Sequence<String>) -> Result<String, UnknownOption> {
        var prefix = ""
        for option in options {
            guard option.hasPrefix(name) else { return .failure(UnknownOption(text: option)) }
            prefix = String(option.dropFirst(name.count))
        }
        return .success(prefix)
    }

    /// A field that says nothing here.
    struct UnknownOption: Error {
        let text: String
    }
}
