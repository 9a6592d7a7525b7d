package import TransferCommon

/// How many parts an upload sends at once.
///
/// All that there is room for, until a connection is lost with some of them on their way: unless the next gateway is
/// the same, what it had of these is gone. From then on parts go one at a time, so that the next cut loses the least,
/// and one more at a time after each round that got through.
package struct SendWindow: Hashable {
    /// `nil` where nothing bounds it.
    package private(set) var partsMax: Int?
    private var storedInRound = 0
    /// Parts of which the gateway said that it has something: they cost nothing to offer.
    package var known: Set<PartNumber> = []

    package init() {}

    /// Whether a part may be offered while others of the upload are being sent.
    package func admits(_ number: PartNumber, beside sending: Int) -> Bool {
        known.contains(number) || partsMax.map { sending < $0 } ?? true
    }

    /// A connection was lost, and with it a part that was being sent.
    package mutating func shrink() {
        partsMax = 1
        storedInRound = 0
        known = []
    }

    /// A part was stored.
    ///
    /// - Parameter roomMax: parts that there is ever room for.
    package mutating func grow(roomMax: Int) {
        guard let parts = partsMax else { return }
        storedInRound += 1
        guard storedInRound >= parts else { return }
        storedInRound = 0
        partsMax = parts + 1 < roomMax ? parts + 1 : nil
    }
}
