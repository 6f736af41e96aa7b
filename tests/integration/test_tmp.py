import time
from tests.integration.test_crash_ticks import *
def test_t(before,tmp_path):
    base=before("asked",approved)
    t=time.time()
    with base.copied(tmp_path/"a") as copy:
        print("copied",time.time()-t)
        for i in range(3):
            t=time.time(); s=ran(copy.job()); print("ran",time.time()-t, s.code, s.points)
        t=time.time(); copy.left(); print("left",time.time()-t)
        t=time.time()
    print("stop",time.time()-t)
    import os; os.system("uptime")
    assert 0
