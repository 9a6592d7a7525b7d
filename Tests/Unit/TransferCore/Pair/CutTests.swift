import SeededRandom
import Testing
import TransferCore
import TransferCoreSupport
import WireProtocol

/// Cuts the connection in the middle of every write, in either direction, for files of one and of several parts.
@Suite struct CutTests {
    /// Which gateway the agent reaches when it reconnects.
    enum Reach: String, CaseIterable {
        case sameGateway, restartedGateway, otherGateway, sameGatewayThatDidNotNotice
    }

    struct Case: CustomStringConvertible {
        var size: Int
        var direction: Cut.Direction
        var reach: Reach
        var connections: Int
        var isStream = false

        var description: String {
            "\(isStream ? "a stream of " : "")\(size) bytes, \(connections) connections, \(direction), \(reach)"
        }
    }

    static let cases: [Case] = [250, 900, 3_500].flatMap { size in
        Cut.Direction.allCases.flatMap { direction in
            Reach.allCases.flatMap { reach in
                [1, 2].map { Case(size: size, direction: direction, reach: reach, connections: $0) }
            }
        }
    }

    /// The agent keeps the bytes of a stream until they are stored, so a cut loses nothing of a stream either.
    static let streams: [Case] = [900, 3_500].flatMap { size in
        Cut.Direction.allCases.flatMap { direction in
            [Reach.sameGateway, .otherGateway].flatMap { reach in
                [1, 2].map {
                    Case(size: size, direction: direction, reach: reach, connections: $0, isStream: true)
                }
            }
        }
    }

    @Test(arguments: cases + streams)
    func fileArrivesWhereverTheConnectionIsCut(_ tested: Case) {
        var last = 1
        var cutAt = 0
        while cutAt < last {
            cutAt += 1
            let pair = pair(tested, cutAt: cutAt)
            let upload = pair.push(bytes: tested.size, isStream: tested.isStream)
            pair.run()
            last = max(last, cutAt == 1 ? pair.deliveryCount(tested.direction) : last)
            pair.checkStored(upload)
            pair.rest()
            #expect(pair.violations == [], "\(tested), cut at \(cutAt)")
            #expect(pair.store.partsStoredAgain == [], "\(tested), cut at \(cutAt)")
            if !pair.violations.isEmpty { return }
        }
        #expect(last > 3)
    }

    private func pair(_ tested: Case, cutAt: Int) -> Pair {
        var options = PairOptions()
        options.gateways = 2
        options.seed = UInt64(cutAt)
        options.agentLimits.connections = tested.connections
        let pair = Pair(options)
        pair.cuts = [
            Cut(tested.direction, after: cutAt, leavesGateway: tested.reach == .sameGatewayThatDidNotNotice)
        ]
        var connections = 0
        pair.route = { [unowned pair] in
            connections += 1
            guard connections > tested.connections else { return 0 }
            if tested.reach == .restartedGateway, connections == tested.connections + 1 {
                pair.schedule.after(.zero) { [unowned pair] in pair.gateway.restart() }
                return nil
            }
            return tested.reach == .otherGateway ? 1 : 0
        }
        return pair
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8])
    func fileArrivesOverAFlakyLink(seed: UInt64) {
        var options = PairOptions()
        options.gateways = 2
        options.seed = seed
        options.agentLimits.connections = Int(seed % 3) + 1
        options.linkBytesPerSecond = 50_000
        let pair = Pair(options)
        var generator = SeededGenerator(seed: seed)
        pair.cuts = Cut.Direction.allCases.flatMap { direction in
            (1...12).map { number in
                Cut(
                    direction, after: number * 9 + Int.random(in: 0..<8, using: &generator),
                    leavesGateway: Bool.random(using: &generator))
            }
        }
        pair.route = { Int.random(in: 0..<2, using: &generator) }
        let uploads = [100, 2_300, 9_000].enumerated().map { pair.push(bytes: $1, key: "file-\($0)") }
        pair.run()
        for upload in uploads { pair.checkStored(upload) }
        pair.rest()
        #expect(pair.violations == [])
    }
}
