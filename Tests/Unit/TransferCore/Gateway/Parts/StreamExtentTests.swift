import Testing
import TransferCommon
import TransferCore
import TransferCoreSupport
import WireProtocol

/// The gateway checks the extent of a stream at each offer, and the last part again at COMPLETE (§6.4).
@Suite struct StreamExtentTests {
    struct Part: Sendable {
        var number: UInt32
        var size: UInt64 = 1_000
        var isLast = false
    }

    enum Verdict: Sendable { case send, no, wrong }

    private static func driver() -> GatewayDriver {
        var driver = GatewayDriver {
            $0.parts.partsMax = 4
            $0.parts.objectBytesMax = 3_500
        }
        driver.connect()
        driver.openParts(size: nil)
        return driver
    }

    private static func offer(_ part: Part, to driver: inout GatewayDriver) throws -> Verdict? {
        let offer = PartOffer(
            part: try #require(PartNumber(part.number)), size: part.size, isLast: part.isLast,
            digest: ToyDigest.sha256([UInt8(truncatingIfNeeded: part.number)]), md5: nil)
        for frame in frames(driver.frame(.partOffer(offer))) {
            switch frame {
            case .partDecision(let decision):
                switch decision.decision {
                case .send: return .send
                case .no(code: .sizeUnsupported): return .no
                default: return nil
                }
            case .error(let report): return report.code == .partSizeWrong ? .wrong : nil
            default: break
            }
        }
        return nil
    }

    static let offers: [([Part], Verdict)] = [
        ([Part(number: 1)], .send), ([Part(number: 3)], .send),
        // The part lies beyond the session's limits.
        ([Part(number: 5)], .no), ([Part(number: .max)], .no), ([Part(number: 4)], .no),
        ([Part(number: 4, size: 501, isLast: true)], .no), ([Part(number: 4, size: 500, isLast: true)], .send),
        // Every part has the part size, except that the last part may be smaller. A part may be empty only if it is the
        // only one.
        ([Part(number: 1, size: 0, isLast: true)], .send), ([Part(number: 2, size: 0, isLast: true)], .wrong),
        ([Part(number: 1, size: 999)], .wrong), ([Part(number: 1, size: 1_001, isLast: true)], .wrong),
        // A stream has only one last part, and it has the highest number.
        ([Part(number: 2, size: 10, isLast: true), Part(number: 3)], .wrong),
        ([Part(number: 2, size: 10, isLast: true), Part(number: 1, size: 10, isLast: true)], .wrong),
        ([Part(number: 2, size: 10, isLast: true), Part(number: 3, size: 10, isLast: true)], .wrong),
        ([Part(number: 3), Part(number: 2, isLast: true)], .wrong),
        ([Part(number: 3), Part(number: 2)], .send),
        ([Part(number: 1), Part(number: 1, isLast: true)], .send),
        ([Part(number: 2, size: 10, isLast: true), Part(number: 2, size: 10, isLast: true)], .send),
    ]

    @Test(arguments: offers)
    func limitsAreJudgedAtTheOffer(parts: [Part], verdict: Verdict) throws {
        var driver = Self.driver()
        for part in parts.dropLast() { _ = try Self.offer(part, to: &driver) }
        #expect(try Self.offer(try #require(parts.last), to: &driver) == verdict, "\(parts)")
    }

    static let completions: [([Part], size: UInt64, isRight: Bool)] = [
        ([Part(number: 1), Part(number: 2, size: 10, isLast: true)], 1_010, true),
        ([Part(number: 1, isLast: true)], 1_000, true),
        // If a gateway did not receive the offer of the last part, it relies on the part list.
        ([], 1_010, true), ([Part(number: 1)], 1_010, true),
        // The flag of the last part contradicts the part count in COMPLETE.
        ([Part(number: 1)], 1_000, false), ([Part(number: 1), Part(number: 2)], 1_000, false),
        ([Part(number: 2, size: 10, isLast: true)], 1_000, false),
        ([Part(number: 1, isLast: true)], 1_010, false),
    ]

    @Test(arguments: completions)
    func flagAndPartCountAgree(parts: [Part], size: UInt64, isRight: Bool) throws {
        var driver = Self.driver()
        for part in parts { _ = try Self.offer(part, to: &driver) }
        driver.frame(.partList(PartList(entries: GatewayDriver.entries(of: size), isLast: true)))
        let told = frames(driver.frame(.complete(GatewayDriver.complete(size))))
        let isRefused = told.contains { if case .error(let report) = $0 { report.code == .listInvalid } else { false } }
        #expect(isRefused == !isRight, "\(parts), \(size)")
    }

    /// The gateway holds its decisions until SESSION OPENED, also the refusals of parts that the session cannot have.
    /// It holds only a bounded number of them.
    @Test func offersBeforeTheSessionIsOpenAreBounded() throws {
        var driver = GatewayDriver { $0.parts.partsMax = 4 }
        driver.connect()
        let terms = GatewayDriver.terms(size: nil, key: "file")
        driver.frame(.sessionOpen(SessionOpen(session: GatewayDriver.session, terms: terms, compares: false)))
        for number in 10..<UInt32(10 + driver.machine.limits.heldDecisionsMax) {
            _ = try Self.offer(Part(number: number), to: &driver)
        }
        #expect(driver.machine.slotsInUse == 1)
        let last = PartOffer(
            part: try #require(PartNumber(9)), size: 1_000, isLast: false, digest: ToyDigest.sha256([9]), md5: nil)
        let answers = frames(driver.frame(.partOffer(last)))
        guard case .sessionRefused(let refused)? = answers.first, answers.count == 1 else {
            Issue.record("\(answers)")
            return
        }
        #expect(refused.code == .busy && !refused.message.isEmpty)
        #expect(driver.machine.slotsInUse == 0)
    }
}
