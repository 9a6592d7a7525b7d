package import Foundation
import TransferCommon

/// Formats sizes and durations for messages.
package enum ReadableQuantity {
    /// A duration in seconds: `0.4 s`, `12 s`, `3 min`, `2 h`, `5 d`.
    package static func time(_ seconds: Double) -> String {
        switch seconds {
        case ..<10: String(format: "%.1f s", max(seconds, 0))
        case ..<120: "\(Int(seconds)) s"
        case ..<7_200: "\(Int(seconds / 60)) min"
        case ..<172_800: "\(Int(seconds / 3_600)) h"
        default: "\(Int(min(seconds / 86_400, 99_999))) d"
        }
    }

    /// The moment after a wait, in UTC: `12:34:56Z`, with the date if the wait is a day or longer.
    package static func moment(after wait: Duration, now: Date) -> String {
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = TimeZone(secondsFromGMT: 0)
        format.dateFormat = wait < .seconds(86_400) ? "HH:mm:ss'Z'" : "yyyy-MM-dd HH:mm:ss'Z'"
        return format.string(from: now.addingTimeInterval(wait.inSeconds))
    }

    /// A size in bytes, in binary units: `512 B`, `1.5 MiB`.
    package static func size(_ bytes: UInt64) -> String {
        for (unit, scale) in [("GiB", 1_073_741_824.0), ("MiB", 1_048_576.0), ("KiB", 1_024.0)]
        where Double(bytes) >= scale {
            return String(format: "%.1f %@", Double(bytes) / scale, unit)
        }
        return "\(bytes) B"
    }
}

/// A count with its noun: `1 receipt`, `2 receipts`.
package func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
