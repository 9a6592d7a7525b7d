/// A value of a log line that a peer or a device has chosen, such as a name or a key.
package enum LogValue {
    /// Writes a value so that it stays one value in the line. The log writes its fields as `name=value` with spaces
    /// between them, so a value with a space or an equals sign could pass for further fields.
    package static func of(_ text: String) -> String {
        var value = ""
        var isPlain = !text.isEmpty
        for (index, scalar) in text.unicodeScalars.enumerated() {
            guard index < scalarsMax else {
                value += "…"
                break
            }
            if " =\"\\".unicodeScalars.contains(scalar) { isPlain = false }
            if scalar == "\"" || scalar == "\\" { value += "\\" }
            value.unicodeScalars.append(scalar)
        }
        return isPlain ? value : "\"\(value)\""
    }

    /// Keys have at most 1,024 bytes. Names in the certificates of unauthenticated peers may be much longer.
    private static let scalarsMax = 256
}
