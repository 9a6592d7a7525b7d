/// The rule for names of devices, in the device list and in certificates.
package enum DeviceName {
    /// The rule in words, as the end of the sentence *a name has …*.
    package static let rule = "letters, digits, dots, underscores and hyphens, at most 64"

    /// Whether a name follows the rule. A name that follows the rule may still be impossible as a key prefix, for
    /// example `..`.
    package static func isUsable(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}
