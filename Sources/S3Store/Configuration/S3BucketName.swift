/// S3's rules for the name of a bucket that is part of a host name. Without this check the operator would only learn
/// that a host name cannot be resolved.
enum S3BucketName {
    static let rule =
        "it has 3 to 63 small letters, digits, dots and hyphens, begins and ends with a letter or digit, has no dot "
        + "beside a dot or hyphen, and is no IP address; if the store takes other names, add --s3-addressing path"

    static func isHostName(_ name: String) -> Bool {
        guard (3...63).contains(name.utf8.count) else { return false }
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        let isAddress = labels.count == 4 && labels.allSatisfy { $0.utf8.allSatisfy(isDigit) }
        return !isAddress
            && labels.allSatisfy { label in
                HostLabel.hasOnlyItsBytes(label) && label.utf8.first != hyphen && label.utf8.last != hyphen
            }
    }

    private static let hyphen = UInt8(ascii: "-")

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}

/// The bytes of one label of a host name, the text between two dots, as far as buckets and regions use them.
enum HostLabel {
    /// Whether the text is not empty and has only small letters, digits and hyphens.
    static func hasOnlyItsBytes(_ text: some StringProtocol) -> Bool {
        !text.utf8.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}
