package import TransferCommon
package import WireProtocol

/// How long a stream is, by the offers of its parts: only the offers tell which part is the last one (specification
/// §6.4).
///
/// A gateway that was not offered a part does not know its flag. Then the list of COMPLETE decides.
package struct StreamExtent: Hashable, Sendable {
    /// The highest part that was offered; 0 before the first.
    private var highest: UInt32 = 0
    /// The part that was offered as the last one.
    private var last: PartNumber?

    /// The judgement of an offer, before any data.
    package enum OnOffer: Hashable, Sendable {
        case fits
        /// The offer violates the protocol; the text says how.
        case wrong(String)
        /// The part is beyond what a session may have.
        case beyond
    }

    /// A stream of which no part was offered.
    package init() {}

    /// Judges an offer, and keeps what it says of the length.
    ///
    /// - Parameter rule: the bounds that WELCOME has told the device.
    package mutating func offered(_ offer: PartOffer, partBytes: UInt64, rule: PartRule) -> OnOffer {
        let number = offer.part.value
        if offer.isLast {
            let isWhole = (1...partBytes).contains(offer.size) || offer.size == 0 && number == 1
            guard isWhole else { return .wrong("the last part has 1 to \(partBytes) bytes") }
        } else {
            guard offer.size == partBytes else { return .wrong("every part but the last has \(partBytes) bytes") }
        }
        if let last, number > last.value { return .wrong("part \(last.value) was offered as the last") }
        if offer.isLast, let last, last != offer.part { return .wrong("part \(last.value) was offered as the last") }
        if offer.isLast, number < highest { return .wrong("part \(highest) was offered before") }
        let (start, overflow) = UInt64(number - 1).multipliedReportingOverflow(by: partBytes)
        let (end, beyond) = start.addingReportingOverflow(offer.size)
        guard number <= rule.partsMax, !overflow, !beyond, end <= rule.objectBytesMax else { return .beyond }
        highest = max(highest, number)
        // The newest offer of a part counts.
        if offer.isLast { last = offer.part } else if last == offer.part { last = nil }
        return .fits
    }

    /// Why COMPLETE does not agree with what was offered.
    package func objection(to complete: Complete) -> String? {
        let named = "COMPLETE names \(complete.partCount) parts"
        if let last { return last.value == complete.partCount ? nil : "\(named), and part \(last.value) is the last" }
        return highest < complete.partCount ? nil : "\(named), and part \(highest) was offered as not the last"
    }
}
