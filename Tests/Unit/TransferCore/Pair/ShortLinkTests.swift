import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// A link that is up for 12 s of every 82 s, and so slow that no part of the default size is stored within 12 s. The
/// gateway keeps the bytes of a cut part for 10 s only, so every cut loses them.
@Suite struct ShortLinkTests {
    /// A pair whose link goes up and down.
    private final class Link {
        let pair: Pair
        private var isUp = true
        private let up: Duration
        private let down: Duration
        /// Whether the agent's process dies with the link, and another one starts when the link is up again.
        private let isNewRun: Bool
        /// The bytes that the store had at the end of each time that the link was up.
        private(set) var storedBytes: [Int] = []

        init(up: Duration = .seconds(12), down: Duration = .seconds(70), isNewRun: Bool = false) {
            var options = PairOptions()
            options.gatewayLimits.parts.partBytesMin = 100
            options.linkBytesPerSecond = 60
            pair = Pair(options)
            (self.up, self.down, self.isNewRun) = (up, down, isNewRun)
            pair.route = { [unowned self] in self.isUp ? 0 : nil }
            pair.schedule.after(up) { [weak self] in self?.goDown() }
        }

        private func goDown() {
            isUp = false
            let parts = pair.journal.rows.values.flatMap(\.parts.values)
            storedBytes.append(parts.reduce(0) { $0 + Int($1.size) })
            if isNewRun {
                pair.agent.kill()
            } else {
                pair.agent.cutAll()
            }
            pair.schedule.after(down) { [weak self] in self?.goUp() }
        }

        private func goUp() {
            isUp = true
            if isNewRun, !pair.files.keys.allSatisfy({ pair.journal.isFinished($0) }) {
                pair.agent.start(
                    pair.files.keys.sorted().compactMap { pair.journal.request(for: $0, stamp: pair.files[$0]?.stamp) })
            }
            pair.schedule.after(up) { [weak self] in
                guard let self, !self.pair.isDone else { return }
                self.goDown()
            }
        }
    }

    /// Files of several parts, and one that is a single part of the default size.
    @Test(arguments: [900, 3_500], [false, true])
    func fileArrivesInSmallerParts(bytes: Int, isNewRun: Bool) {
        let link = Link(isNewRun: isNewRun)
        let upload = link.pair.push(bytes: bytes)
        link.pair.run(stepsMax: 400_000)
        link.pair.checkStored(upload)
        #expect(link.pair.violations == [])
        // Two attempts lose their parts of the default size. From then on each time brings at least one part.
        #expect(link.storedBytes.prefix(2).allSatisfy { $0 == 0 })
        let later = Array(link.storedBytes.dropFirst(3))
        let isGrowing = zip(later, later.dropFirst()).allSatisfy { $0 < $1 }
        #expect(isGrowing, "\(link.storedBytes)")
        #expect(link.pair.store.partsStoredAgain == [])
        // The upload that had large parts was aborted, and had none.
        #expect((link.pair.store.requestCounts[.abort] ?? 0) == (bytes > 1_000 ? 1 : 0))
    }

    /// A part size that the user chose is not changed, so this file never arrives.
    @Test func chosenPartSizeStays() {
        let link = Link()
        link.pair.push(bytes: 3_500, partBytes: 1_000)
        link.pair.run(stepsMax: 400_000)
        #expect(link.storedBytes.allSatisfy { $0 == 0 })
        #expect(link.storedBytes.count > 3)
        #expect(link.pair.store.requestCounts[.createUpload] == 1)
    }

    /// The gateway still has the beginning of the part after 5 s, so each attempt continues the one before. Smaller
    /// parts would throw these bytes away.
    @Test func partThatContinuesKeepsItsSize() {
        let link = Link(down: .seconds(5))
        let upload = link.pair.push(bytes: 3_500)
        link.pair.run(stepsMax: 400_000)
        link.pair.checkStored(upload)
        #expect(link.pair.violations == [])
        #expect(link.pair.store.requestCounts[.createUpload] == 1)
        #expect((link.pair.store.requestCounts[.storePart] ?? 0) <= 8)
        #expect(link.pair.store.object("site/file")?.bytes.count == 3_500)
    }
}
