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
        let (days, rest) = floored(time, by: 86_400_000)
        let (year, month, day) = date(daysSince1970: days)
        let seconds = rest / 1_000
        let text =
            "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T\(padded(seconds / 3_600, 2)):"
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

    private static func floored(_ number: Int64, by divisor: Int64) -> (quotient: Int64, rest: Int64) {
        let rest = number % divisor
        return rest < 0 ? (number / divisor - 1, rest + divisor) : (number / divisor, rest)
    }

    /// The date in the Gregorian calendar. The calculation counts from 1 March of the year 0, so that a leap day is the
    /// last day of a year, and in eras of 400 years, which all have the same number of days.
    private static func date(daysSince1970: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = floored(daysSince1970 + 719_468, by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}
