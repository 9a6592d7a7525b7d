import Testing
import TransferCommon
import TransferCore
import WireProtocol

/// The verdict after each look at a file: the agent may send it, or a process may still be writing to it.
@Suite struct FileSettlingTests {
    typealias Look = FileSettling.Look
    typealias Verdict = FileSettling.Verdict

    private static let start = Instant(nanoseconds: 1_000_000_000)
    private static let distance = Duration.seconds(5)
    private static let due = start + distance

    private static func stamp(size: UInt64 = 10, changedAt seconds: Int64 = 100, inode: UInt64 = 7) -> FileStamp {
        let change = ModificationTime(seconds: seconds, nanoseconds: 500)
        return FileStamp(device: 1, inode: inode, size: size, modification: change, change: change)
    }

    private static func look(
        _ lease: FileSettling.Lease, _ fileSystem: FileSettling.FileSystem = .stamping, stamp: FileStamp = stamp(),
        systemSeconds: Int64? = nil, nanoseconds: UInt32 = 500, content: UInt8? = nil
    ) -> Look {
        Look(
            stamp: stamp, lease: lease, fileSystem: fileSystem,
            systemTime: systemSeconds.map { ModificationTime(seconds: $0, nanoseconds: nanoseconds) },
            digest: content.flatMap { SHA256Digest(bytes: [UInt8](repeating: $0, count: 32)) })
    }

    /// A look at a file, and the verdict that it leads to.
    struct Step: Sendable, CustomTestStringConvertible {
        var name: String
        var look: Look
        var verdict: Verdict

        var testDescription: String { name }
    }

    static let firstLooks: [Step] = [
        Step(name: "a lease", look: look(.granted), verdict: .ready),
        Step(name: "a lease on FAT or tmpfs", look: look(.granted, .local), verdict: .ready),
        Step(name: "a lease that other machines do not ask for", look: look(.granted, .shared), verdict: .hash),
        Step(name: "a writer", look: look(.refused), verdict: .lookAgain(at: due)),
        Step(
            name: "a writer of a file whose change time is old", look: look(.refused, systemSeconds: 1_000),
            verdict: .lookAgain(at: due)),
        Step(name: "a writer, on FAT", look: look(.refused, .local), verdict: .lookAgain(at: due)),
        Step(name: "a writer, on NFS", look: look(.refused, .shared), verdict: .lookAgain(at: due)),
        Step(name: "no lease and no clock", look: look(.unavailable), verdict: .lookAgain(at: due)),
        Step(name: "2 s old", look: look(.unavailable, systemSeconds: 102), verdict: .ready),
        Step(
            name: "a nanosecond less than 2 s old", look: look(.unavailable, systemSeconds: 102, nanoseconds: 499),
            verdict: .lookAgain(at: due)),
        Step(
            name: "of the future", look: look(.unavailable, stamp: stamp(changedAt: 2_000), systemSeconds: 1_000),
            verdict: .lookAgain(at: due)),
        Step(
            name: "of the end of time",
            look: look(.unavailable, stamp: stamp(changedAt: .max), systemSeconds: .max), verdict: .lookAgain(at: due)),
        Step(name: "old, on FAT", look: look(.unavailable, .local, systemSeconds: 1_000), verdict: .hash),
        Step(name: "old, on NFS", look: look(.unavailable, .shared, systemSeconds: 1_000), verdict: .hash),
        Step(
            name: "hashed, on FAT", look: look(.unavailable, .local, content: 1), verdict: .lookAgain(at: due)),
        Step(name: "hashed, on NFS", look: look(.granted, .shared, content: 1), verdict: .lookAgain(at: due)),
    ]

    @Test(arguments: firstLooks) func theFirstLook(step: Step) {
        var settling = FileSettling(distance: Self.distance, waitingMax: 10)
        #expect(settling.looked(1, step.look, now: Self.start) == step.verdict)
        if case .lookAgain = step.verdict {
            #expect(settling.nextDeadline == Self.due)
        } else {
            #expect(settling.nextDeadline == nil)
            #expect(settling == FileSettling(distance: Self.distance, waitingMax: 10), "something is kept of it")
        }
    }

    /// Two looks at one file, and the verdict after the second. The second look takes place at the time that the first
    /// verdict names.
    struct Pair: Sendable, CustomTestStringConvertible {
        var name: String
        var first: Look
        var second: Look
        var verdict: Verdict

        var testDescription: String { name }
    }

    private static let third = due + distance

    static let secondLooks: [Pair] = [
        Pair(name: "nothing changed", first: look(.unavailable), second: look(.unavailable), verdict: .ready),
        Pair(
            name: "it grew", first: look(.unavailable),
            second: look(.unavailable, stamp: stamp(size: 11, changedAt: 104)), verdict: .stillWritten),
        Pair(
            name: "it was written over", first: look(.unavailable),
            second: look(.unavailable, stamp: stamp(changedAt: 104)), verdict: .stillWritten),
        Pair(
            name: "it changed, and is old by now", first: look(.unavailable),
            second: look(.unavailable, stamp: stamp(changedAt: 102), systemSeconds: 104), verdict: .stillWritten),
        Pair(
            name: "another file has its name", first: look(.unavailable),
            second: look(.unavailable, stamp: stamp(inode: 8)), verdict: .stillWritten),
        Pair(name: "still open", first: look(.refused), second: look(.refused), verdict: .stillWritten),
        Pair(name: "opened since", first: look(.unavailable), second: look(.refused), verdict: .stillWritten),
        Pair(name: "closed since, unchanged", first: look(.refused), second: look(.granted), verdict: .ready),
        Pair(
            name: "written and closed since", first: look(.refused),
            second: look(.granted, stamp: stamp(size: 11)), verdict: .stillWritten),
        Pair(
            name: "FAT: not read yet", first: look(.unavailable, .local, content: 1),
            second: look(.unavailable, .local), verdict: .hash),
        Pair(
            name: "FAT: the same content", first: look(.unavailable, .local, content: 1),
            second: look(.unavailable, .local, content: 1), verdict: .ready),
        Pair(
            name: "FAT: other content under the same stamp", first: look(.unavailable, .local, content: 1),
            second: look(.unavailable, .local, content: 2), verdict: .stillWritten),
        Pair(
            name: "NFS: the same content", first: look(.granted, .shared, content: 1),
            second: look(.granted, .shared, content: 1), verdict: .ready),
        Pair(
            name: "FUSE: the same content under another inode number", first: look(.granted, .shared, content: 1),
            second: look(.granted, .shared, stamp: stamp(inode: 9), content: 1), verdict: .ready),
        Pair(
            name: "NFS: it grew, which needs no reading", first: look(.granted, .shared, content: 1),
            second: look(.granted, .shared, stamp: stamp(size: 11)), verdict: .stillWritten),
        Pair(
            name: "NFS: other content", first: look(.granted, .shared, content: 1),
            second: look(.granted, .shared, content: 2), verdict: .stillWritten),
        Pair(
            name: "NFS: the first look had a writer, and no content to compare with", first: look(.refused, .shared),
            second: look(.granted, .shared, content: 1), verdict: .lookAgain(at: third)),
    ]

    @Test(arguments: secondLooks) func theSecondLook(pair: Pair) {
        var settling = FileSettling(distance: Self.distance, waitingMax: 10)
        #expect(settling.looked(1, pair.first, now: Self.start) == .lookAgain(at: Self.due))
        #expect(settling.takeDue(now: Self.start) == nil)
        #expect(settling.takeDue(now: Self.due) == 1)
        #expect(settling.takeDue(now: Self.due) == nil)
        #expect(settling.looked(1, pair.second, now: Self.due) == pair.verdict)
        // After a final verdict the machine forgets the file, so the next look at the file is a first look.
        if pair.verdict == .ready || pair.verdict == .stillWritten {
            #expect(settling == FileSettling(distance: Self.distance, waitingMax: 10))
        }
    }

    /// If the agent has to compare content, it hashes the file and then reports the same look once more, with the
    /// digest. The settling check must still compare this look with the earlier one.
    @Test func contentIsComparedWithTheLookBefore() {
        var settling = FileSettling(distance: Self.distance, waitingMax: 10)
        #expect(settling.looked(1, Self.look(.granted, .shared), now: Self.start) == .hash)
        #expect(
            settling.looked(1, Self.look(.granted, .shared, content: 3), now: Self.start) == .lookAgain(at: Self.due))
        #expect(settling.takeDue(now: Self.due) == 1)
        #expect(settling.looked(1, Self.look(.granted, .shared), now: Self.due) == .hash)
        #expect(settling.looked(1, Self.look(.granted, .shared, content: 3), now: Self.due) == .ready)
    }

    @Test func filesAreDueInTheOrderOfTheirLooks() {
        var settling = FileSettling(distance: Self.distance, waitingMax: 1_000)
        for file in 1...100 as ClosedRange<UInt64> {
            let now = Self.start + .seconds(Int64(file / 10))
            #expect(settling.looked(file, Self.look(.refused), now: now) == .lookAgain(at: now + Self.distance))
        }
        var taken: [UInt64] = []
        for second in 0...20 as ClosedRange<Int64> {
            let now = Self.start + .seconds(second)
            while let file = settling.takeDue(now: now) {
                taken.append(file)
                #expect(Int64(file / 10) + 5 <= second)
            }
        }
        #expect(taken == Array(1...100))
        #expect(settling.nextDeadline == nil)
    }

    @Test func filesThatWaitAreBounded() {
        var settling = FileSettling(distance: Self.distance, waitingMax: 2)
        for file in 1...2 as ClosedRange<UInt64> {
            #expect(!settling.isFull)
            _ = settling.looked(file, Self.look(.refused), now: Self.start)
        }
        #expect(settling.isFull)
        #expect(settling.takeDue(now: Self.due) == 1)
        settling.forget(1)
        #expect(!settling.isFull)
    }
}
