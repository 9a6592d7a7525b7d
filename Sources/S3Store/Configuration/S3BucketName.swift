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
        return !isAddress && labels.allSatisfy(isLabel)
    }

    private static func isLabel(_ label: Substring) -> Bool {
        guard let first = label.utf8.first, let last = label.utf8.last else { return false }
        return isSmallLetterOrDigit(first) && isSmallLetterOrDigit(last)
            && label.utf8.allSatisfy { isSmallLetterOrDigit($0) || $0 == UInt8(ascii: "-") }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func isSmallLetterOrDigit(_ byte: UInt8) -> Bool {
        isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
    }
}
