/// The one option that a line of the device list, or of the invitations, may have: `prefix=KEYS/`.
enum PrefixOption {
    private static let name = "prefix="

    /// What stands behind the other fields of a line; nothing, where the prefix is what a line without it means.
    static func text(_ prefix: String, usual: String = "") -> String {
        prefix == usual ? "" : "  \(name)\(prefix)"
    }

    /// - Parameters:
    ///   - options: the fields of a line behind those that it must have. The last one counts.
    ///   - usual: the prefix of a line without the option.
    static func read(_ options: some Sequence<String>, usual: String = "") throws(DeviceListError) -> String {
        var prefix = usual
        for option in options {
            // By bytes: as characters, a mark behind the equals sign would be part of it.
            guard option.utf8.starts(with: name.utf8) else {
                throw DeviceListError("the option \(option) is not known")
            }
            prefix = String(decoding: option.utf8.dropFirst(name.utf8.count), as: UTF8.self)
        }
        return prefix
    }
}
