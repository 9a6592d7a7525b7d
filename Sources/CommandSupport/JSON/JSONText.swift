import FoundationEssentials
import TransferCommon

/// JSON values as text.
package enum JSONText {
    /// The value as JSON.
    package static func of(_ value: JSONValue) -> String {
        switch value {
        case .string(let text): quoted(text)
        case .integer(let number): "\(number)"
        case .boolean(let isTrue): isTrue ? "true" : "false"
        case .time(let milliseconds): quoted(time(milliseconds))
        case .seconds(let duration): seconds(duration)
        case .base64(let bytes): quoted(base64(bytes))
        case .strings(let texts): "[" + texts.map(quoted).joined(separator: ",") + "]"
        }
    }

    /// Bytes in base64.
    package static func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }

    /// The text as a JSON string. No character of it can act on a terminal.
    package static func quoted(_ text: String) -> String {
        var quoted = String.UnicodeScalarView("\"".unicodeScalars)
        for scalar in text.unicodeScalars {
            if scalar == "\"" || scalar == "\\" { quoted.append("\\") }
            quoted.append(scalar)
        }
        return String(quoted).withEscapedControls + "\""
    }

    /// A moment by RFC 3339 in UTC, with milliseconds only if they are not 0. RFC 3339 has the years from 0 to 9999; a
    /// moment outside them becomes the first or the last of them.
    package static func time(_ milliseconds: Int64) -> String {
        let time = min(max(milliseconds, -62_167_219_200_000), 253_402_300_799_999)
        let (days, rest) = time.floored(by: 86_400_000)
        let day = CivilDay(daysSince1970: days)
        let seconds = rest / 1_000
        let text =
            "\(padded(day.year, 4))-\(padded(day.month, 2))-\(padded(day.day, 2))T\(padded(seconds / 3_600, 2)):"
            + "\(padded(seconds / 60 % 60, 2)):\(padded(seconds % 60, 2))"
        return rest % 1_000 == 0 ? text + "Z" : text + ".\(padded(rest % 1_000, 3))Z"
    }

    /// A duration as a number of seconds, without an exponent and with at most six decimals.
    static func seconds(_ duration: Duration) -> String {
        let (whole, attoseconds) = duration.components
        // No duration of a program comes near the limit of 292,000 years, at which the product would overflow.
        let limit = Int64.max / 1_000_000 - 1
        let millionths = min(max(whole, -limit), limit) * 1_000_000 + attoseconds / 1_000_000_000_000
        let (seconds, rest) = millionths.magnitude.quotientAndRemainder(dividingBy: 1_000_000)
        let sign = millionths < 0 ? "-" : ""
        guard rest > 0 else { return "\(sign)\(seconds)" }
        var fraction = padded(Int64(rest), 6).utf8[...]
        while fraction.last == UInt8(ascii: "0") { fraction = fraction.dropLast() }
        return "\(sign)\(seconds).\(String(decoding: Array(fraction), as: UTF8.self))"
    }

    private static func padded(_ number: Int64, _ digits: Int) -> String {
        let text = "\(number)"
        return String(repeating: "0", count: max(digits - text.utf8.count, 0)) + text
    }
}
