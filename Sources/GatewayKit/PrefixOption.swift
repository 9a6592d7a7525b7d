/// The one option that a line of the device list, or of the invitations, may have: `prefix=KEYS/`.
enum PrefixOption {
    private static let name = "prefix="

    /// What stands behind the other fields of a line; nothing, where the prefix is what a line without it means.
    static func text(_ prefix: String, usual: String = "") -> String {
        prefix == usual ? "" : "  \(name)\(prefix)"
    }

    /// - Parameter options: the fields of a line behind those that it must have. The last one counts.
    /// - Parameter usual: the prefix of a line without the option.
    /// - Returns: the prefix, or the option that is not known.
    static func read(_ options: some Sequence<String>, usual: String = "") -> Result<String, UnknownOption> {
        var prefix = usual
        for option in options {
            // By bytes: as characters, a mark behind the equals sign would be part of it.
            guard option.utf8.starts(with: name.utf8) else { return .failure(UnknownOption(text: option)) }
            prefix = String(decoding: option.utf8.dropFirst(name.utf8.count), as: UTF8.self)
        }
        return .success(prefix)
    }

    /// A field that says nothing here.
    struct UnknownOption: Error {
        let text: String
    }
}
