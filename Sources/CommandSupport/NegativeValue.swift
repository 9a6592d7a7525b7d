import TransferCommon

/// A negative number on the command line. The parser of arguments takes it for a flag, and would then say that a value
/// is missing.
package struct NegativeValue: Equatable {
    /// The option before the number; `nil` if there is none.
    package let option: String?
    package let value: String

    /// - Returns: `nil` if there is no negative number before `--`, behind which the words belong to another program.
    package init?(arguments: ArraySlice<String>) {
        let own = arguments.prefix { $0 != "--" }
        guard let place = own.firstIndex(where: Self.isNegative) else { return nil }
        let before = place > own.startIndex ? own[place - 1] : ""
        let isOption = before.hasPrefix("--") && !before.contains("=")
        self.option = isOption ? before : nil
        self.value = own[place]
    }

    private static func isNegative(_ text: String) -> Bool {
        let bytes = text.utf8
        guard bytes.first == UInt8(ascii: "-"), let second = bytes.dropFirst().first else { return false }
        return (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(second) || second == UInt8(ascii: ".")
    }

    /// The message for the person who typed the number.
    package var sentence: String {
        let value = value.withVisibleControls
        guard let option = option?.withVisibleControls else {
            return "\(value) is no number here, because numbers are not negative; a file of that name is written "
                + "./\(value)."
        }
        return
            "\(value) is no value for \(option): numbers, sizes and times are not negative; a name that begins with a "
            + "dash is written \(option)=\(value)."
    }
}
