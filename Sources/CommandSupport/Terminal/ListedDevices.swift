import TransferCommon

/// The device list as `device list` shows it.
package enum ListedDevices {
    /// - Parameters:
    ///   - text: lines with name, fingerprint and options, and comments.
    ///   - width: columns of the terminal; `nil` if the output is none.
    package static func lines(of text: String, width: Int?) -> [String] {
        let lines = text.unicodeScalars.split(separator: "\n").map { String(Substring($0)).withVisibleControls }
        guard let width else { return lines }
        var shown: [String] = []
        var devices: [[String]] = []
        for line in lines {
            guard line.utf8.first == UInt8(ascii: "#") else {
                devices.append(line.split(separator: " ").map(String.init))
                continue
            }
            shown += table(of: devices, width: width) + WrappedText.lines(line, width: width, indent: 2)
            devices = []
        }
        return shown + table(of: devices, width: width)
    }

    /// The fields in the order of the file if they fit. Otherwise the fingerprints stand below their devices, because
    /// a fingerprint that is shortened cannot be compared with another.
    private static func table(of devices: [[String]], width: Int) -> [String] {
        let count = devices.map(\.count).max() ?? 0
        let rows = devices.map { fields in
            TextTable.Row((0..<count).map { .init($0 < fields.count ? fields[$0] : "") })
        }
        let whole = TextTable(Array(repeating: .left, count: count), rows: rows).lines(width: .max)
        guard whole.contains(where: { DisplayWidth.columns(of: $0) > width }) else { return whole }
        let short = devices.map { fields in
            let options = fields.dropFirst(3).joined(separator: "  ")
            return TextTable.Row(
                [.init(fields[0]), .init(fields.count > 2 ? fields[2] : ""), .init(options)],
                notes: fields.count > 1 ? [.words(fields[1])] : [])
        }
        return TextTable([.name, .name, .left], rows: short).lines(width: width)
    }
}
