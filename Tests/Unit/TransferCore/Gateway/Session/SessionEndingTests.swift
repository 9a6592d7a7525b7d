import Testing
import TransferCommon
import TransferCore
import WireProtocol

@Suite struct SessionEndingTests {
    private static let attachment = TransferCore.Attachment(connection: ConnectionID(1), slot: Slot(1))

    static func target(
        size: UInt64? = 2_500, upload: String? = "upload-1", condition: WriteCondition = .absent, compares: Bool = false
    ) throws -> SessionTarget {
        let facts = SessionRecord(
            device: GatewayDriver.device.name, session: GatewayDriver.session,
            terms: GatewayDriver.terms(size: size, condition: condition), upload: upload)
        let plan = try #require(PartPlan(fileBytes: size, partBytes: 1_000))
        return SessionTarget(device: GatewayDriver.device, facts: facts, plan: plan, compares: compares)
    }

    private static func settled(_ target: SessionTarget, leavesUpload: Bool = false) -> SessionEnding {
        .settled(target, GatewayDriver.storedObject, bytes: 2_500, leavesUpload: leavesUpload)
    }

    @Test func whatIsRemovedDependsOnTheParts() throws {
        for (ending, remainder) in [
            (Self.settled(try Self.target()), .record),
            (Self.settled(try Self.target(size: 900, upload: nil)), .nothing),
            (Self.settled(try Self.target(), leavesUpload: true), .upload("upload-1")),
            (Self.settled(try Self.target(size: 900, upload: nil), leavesUpload: true), .nothing),
            (.taken(try Self.target(), GatewayDriver.object()), .upload("upload-1")),
            (.taken(try Self.target(upload: nil), GatewayDriver.object()), .nothing),
            (.refused(try Self.target(), .init(code: .busy, retryAfterMilliseconds: 0, message: "m")), .nothing),
            (.aborted(try Self.target()), .nothing),
        ] as [(SessionEnding, SessionEnding.Remainder)] {
            #expect(ending.remainder == remainder)
        }
    }

    /// The gateway remembers an ended session if the session has its object, or if the gateway is still dropping its
    /// upload.
    @Test func onlySomeEndingsAreRemembered() throws {
        let refusal = SessionRefused(code: .busy, retryAfterMilliseconds: 0, message: "m")
        for (ending, isRemembered) in [
            (Self.settled(try Self.target()), true), (.taken(try Self.target(), GatewayDriver.object()), true),
            (.taken(try Self.target(upload: nil), GatewayDriver.object()), false),
            (.refused(try Self.target(), refusal), false), (.aborted(try Self.target()), false),
        ] as [(SessionEnding, Bool)] {
            #expect(ending.phase.isRemembered == isRemembered)
            #expect((ending.phase == .ended) == !isRemembered)
        }
    }

    /// If the agent compares its file with the object, SESSION EXISTS is no failure, so the gateway logs none.
    @Test func comparedObjectIsNotNoted() throws {
        let (session, object) = (GatewayDriver.session, GatewayDriver.object())
        #expect(SessionEnding.taken(try Self.target(compares: true), object).note == nil)
        let (device, key) = ("device-1", "site/file")
        #expect(
            SessionEnding.taken(try Self.target(), object).note
                == .failed(session, device: device, key: key, .keyTaken, message: "the key holds another object"))
        #expect(
            Self.settled(try Self.target()).note == .completed(session, device: device, key: key, bytes: 2_500))
        #expect(SessionEnding.aborted(try Self.target()).note == .aborted(session, device: device, key: key))
    }

    /// The gateway reports a lost session by RESUME STATE to an agent that resumes, and by SESSION REFUSED to any other
    /// agent.
    @Test func lossIsReportedInTheFrameOfTheSlot() throws {
        let lost = try Self.target().resumeState(.lost)
        let refusal = SessionRefused(code: .sessionLost, retryAfterMilliseconds: 0, message: "m")
        let answer = SessionEnding.refused(try Self.target(), refusal).answer
        let resuming = AttachedSlot(Self.attachment, asks: .resume(listed: [], asksForPartials: false))
        let opening = AttachedSlot(Self.attachment, asks: .open)
        #expect(answer.frame(for: resuming, ifLost: lost) == .resumeState(lost))
        #expect(answer.frame(for: opening, ifLost: lost) == .sessionRefused(refusal))
        let busy = SessionRefused(code: .busy, retryAfterMilliseconds: 0, message: "m")
        #expect(SessionEnding.Answer.refused(busy).frame(for: resuming, ifLost: lost) == .sessionRefused(busy))
    }

    @Test func theLocationIsTheKeyWithoutThePrefix() throws {
        let completed = try Self.target().completed(GatewayDriver.storedObject, bytes: 2_500)
        #expect(completed.location == "file" && completed.size == 2_500)
    }
}
