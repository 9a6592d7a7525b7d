import AgentService
import FolderCore
import TestSupport
import Testing

/// Tests of the reports about network interfaces.
@Suite(.timeLimit(.minutes(5))) struct LinkWatcherTests {
    @Test func interfaceIsUsableIfItIsUpAndRunning() {
        let (up, broadcast, loopback, running): (UInt32, UInt32, UInt32, UInt32) = (0x1, 0x2, 0x8, 0x40)
        func isUsable(_ flags: UInt32, isInternet: Bool = true) -> Bool {
            LinkWatcher.Address(flags: flags, isInternet: isInternet).isUsable
        }
        #expect(isUsable(up | running))
        #expect(isUsable(up | broadcast | running))
        // Without a carrier the interface is up and does not run.
        #expect(!isUsable(up | broadcast))
        #expect(!isUsable(running))
        #expect(!isUsable(up | loopback | running))
        #expect(!isUsable(up | running, isInternet: false))
    }

    @Test func stateIsReportedAtTheStart() async throws {
        let events = Watched<[FolderEvent]>([])
        let watcher = LinkWatcher { event in events.update { $0.append(event) } }
        defer { watcher.stop() }
        try await withDeadline(.seconds(60), "the first report") {
            _ = try await events.wait { $0.isEmpty ? nil : true }
        }
        #expect(events.current == [.link(isUp: LinkWatcher.isUp())])
        watcher.stop()
    }
}
