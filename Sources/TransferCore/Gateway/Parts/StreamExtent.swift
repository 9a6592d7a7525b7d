package import TransferCommon
package import WireProtocol

/// The length of a stream, as far as the offers of its parts show it: only the offers say which part is the last one
/// (specification §6.4).
///
/// If the last part was offered at another gateway, this gateway does not know that it is the last. Then the list of
/// COMPLETE decides.
package struct StreamExtent: Hashable, Sendable {
    /// The highest part that was offered; 0 before the first.
    private var highest: UInt32 = 0
    private var last: PartNumber?

    /// The judgement of an offer, before data of the part arrives.
    package enum OnOffer: Hashable, Sendable {
        case fits
        /// The offer violates the protocol; the text says how.
        case wrong(String)
        /// The part number is higher than a session may have.
        case beyond
    }

    /// A stream of which no part was offered.
    package init() {}

    /// Judges an offer by the bounds of WELCOME (`rule`), and keeps what it says about the length of the stream.
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
        // If a part is offered several times, the newest offer counts.
        if offer.isLast { last = offer.part } else if last == offer.part { last = nil }
        return .fits
    }

    /// Why COMPLETE does not agree with the offers; `nil` if it does.
    package func objection(to complete: Complete) -> String? {
        let named = "COMPLETE names \(complete.partCount) parts"
        if let last { return last.value == complete.partCount ? nil : "\(named), and part \(last.value) is the last" }
        return highest < complete.partCount ? nil : "\(named), and part \(highest) was offered as not the last"
    }
}
