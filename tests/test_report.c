/* What harness/report makes of rows: every number of its tables and of its figures' data. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/report_rows.h"
#include "tests/suite.h"

#define N(x) ((int)(sizeof(x) / sizeof((x)[0])))

/* Once more after a change: a connection's views are made once. */
static void report_again(void)
{
    store_close(rows_st);
    ck_assert_int_eq(store_open(rows_db, STORE_WRITE, &rows_st, NULL), 0);
    rows_report_csv();
}

/* At 25 and 50 ms the urgent one has interrupted; between 120 and 130 nobody has the turn. */
START_TEST(queues)
{
    exec("CREATE TEMP TABLE q AS SELECT * FROM queue WHERE id IN (2, 3)"); /* an older pair, of another session */
    exec("UPDATE q SET id = id + 3, session_id = 2, taken_utc = '2018'");
    exec("INSERT INTO queue SELECT * FROM q");
    exec("CREATE TEMP TABLE s AS SELECT * FROM queue_step WHERE queue_id IN (2, 3)");
    exec("UPDATE s SET queue_id = queue_id + 3, end_ns = 3 * end_ns");
    exec("INSERT INTO queue_step SELECT * FROM s");
    rows_report_csv();
    has("findings.csv", ",\"40 to 40 ms from arrival to output, 80 to 80 where it waits its turn\",");
    has("queues.csv", "\npaper.csv,2,latency,f16 buffer direct,next reads early,200.0,0.1,2.0,200.0,"
                      "50.0,4.0,,yes\n");
    has("queues.csv", "urgent ones interrupt,200.0,0.1,2.0,");
    has_not("queues.csv", "999.0");
    has("urgent.csv", "\npaper.csv,2,Fast,20.0,9.0,80.0,40.0,2.0,\"Slow, layer 7\",100.0,100.0,yes\n");
    has("figure6.csv", "\nlatency within 200 MB: 0.1 s; mean 50 MB,Slow,0.025,0.05,1.0,,-\n");
    has("figure6.csv", "\nlatency preempting within 200 MB: 0.1 s; mean 60 MB,Fast,0.025,0.05,1.0,");
    has("figure6.csv", " MB,Slow,0.075,0.1,3.0,,-\n");
    has("figure6.csv", "\npreload without a limit: 0.2 s; mean 200 MB,Slow,0.075,0.2,3.0,,-\n");
    has("figure6.csv", " MB,Fast,0.165,,200.0,,Fast\n");
}
END_TEST

START_TEST(table_4_and_the_front)
{
    /* Newer, in chunks of its own, of a run that was cut off: the front stays. */
    exec("INSERT INTO plan VALUES (10, '2021', 1, 'GPTN-S', 'f32', 'image', 'latency', 'bytes', "
         "'streamed', NULL, 123000000, 0.9, 7, '', 5, NULL, 'OPTIMAL', 1, 100, 20e6, 1, 20e6, 2e9)");
    exec("INSERT INTO plan VALUES (7, '2020', 1, 'ViT', 'f32', 'image', 'latency', 'bytes', "
         "'streamed', NULL, 400000000, 0.9, 1, '', 5, NULL, 'OPTIMAL', 1, 100, 20e6, 1, 20e6, 2e9)");
    rows_report_csv();
    has_not("figure8.csv", "ViT"); /* one limit: no front */
    has("table4.csv", "\ngptneo-s.1m.tight,cp-sat,FEASIBLE,5.0,3.0,1.25,7.0,0.260,45.00,OPTIMAL\n"
                      "gptneo-s.1m.tight,lc-opg,OPTIMAL,4.0,4.0,1.0,0.002,,,\n");
    has("figure8.csv", "\nGPTN-S f32 image: integrated,planned,200.0,30.0,,,\n"
                       "GPTN-S f32 image: integrated,planned,400.0,20.0,,,\n"
                       "GPTN-S f32 image: integrated,proven bound,200.0,29.0,,,\n");
    has_not("figure8.csv", "planned,123.0");
    has("figure8.csv", "integrated,lc-opg,90.0,700.0,630.0,770.0,--lambda 0.5\n");
    has("figure8.csv", "execution alone,lc-opg,90.0,480.0,,,--lambda 0.5\n");
    has_not("figure8.csv", "--split");
}
END_TEST

/* Steps: 900 -> 600 -> 600 -> 400 ms, 400 -> 200 -> 100 -> 100 MB; intervals are +-10 %. */
START_TEST(breakdown)
{
    static const char *const rows[] = {
        "GPTN-S,3,+ plan,1.5,", "GPTN-S,4,+ adaptive fusion,1.0,", "GPTN-S,5,+ kernel rewriting,1.5,",
        "GPTN-S,7,all but fusion,1.25,", "GPTN-S,9,all but tuning,2.0,",
        "GPTN-S,3,+ plan,2.0,2.0,2.0,2.1,3.8\n", "GPTN-S,7,all but fusion,1.0,1.0,1.0,,\n"};

    rows_report_csv();
    for (int i = 0; i < N(rows); i++)
        has("figure7.csv", rows[i]);
    has("figure7.csv", ",1.83333333333333,5.3,8.1\n"); /* 990 / 540 */
    has_not("figure7.csv", "preload-transform");
    has("breakdown.csv", "\nGPTN-S (f32 image),preload-transform,\"layout made at start-up, nothing "
                         "overlaps\",,,,,,,,not run: scripts/study breakdown\n");
    has("breakdown.csv", ",600.0,540 to 660,480.0,100.0,250.0,,600.0,\n");
    has("findings.csv", "figure7,the plan (OPG) 5.3x to 8.1x faster than SmartMem,Fixture,"
                        "\"1.50 to 1.50 "
                        "times over the step before; faster in 1 of 1, slower in 0, else no difference "
                        "shown\",differs,");
}
END_TEST

START_TEST(figures_9_and_10)
{
    rows_report_csv();
    has("figure9.csv", "\nlc-opg against always-next,ahead,1,GPTN-S,3.0,2.45454545454545,"
                       "3.66666666666667,4.3,3.0,1500.0,500.0,300.0,100.0\n");
    has("figure10.csv", "\nlatency: preload / streaming,Fixture,2,GPTN-S f32,2.0,");
    has("figure10.csv", "\naverage memory: preload / streaming,Fixture,1,A<B&C f32,0.5,0.5,0.5,lc-opg,");
    has("fits.csv", "\nGPTN-S f16,3.0,7.0,no,,yes,,,streamed: in all\n");
}
END_TEST

/* GPTN-S on another device, in 250 ms for 750: its rows stand behind this one's, and their
 * milliseconds nowhere. */
START_TEST(another_device)
{
    struct device_info info = rows_device;
    struct err err = {0};
    int64_t device_id;
    char sql[400];

    snprintf(info.name, sizeof(info.name), "Other");
    ck_assert_int_eq(store_device(rows_st, &info, &device_id, &err), 0);
    snprintf(sql, sizeof(sql),
             "INSERT INTO session (uuid, device_id, started_utc, host, os, cpu, cpus, memory_bytes,"
             " program, compiler, command) SELECT 'other', %d, '2000', host, os, cpu, cpus,"
             " memory_bytes, program, compiler, command FROM session LIMIT 1", (int)device_id);
    exec(sql);
    another("lc-opg", "pipelined", "session_id = (SELECT max(id) FROM session)", 250, 100);
    another("preload", "pipelined", "session_id = (SELECT max(id) FROM session)", 750, 300);
    rows_report_csv();
    has("ratios.csv", "\nGPTN-S,Fixture,f32 image,lc-opg,2.0,1.64 to 2.44,4.0,0.5,1.5,1.11,0.83\n"
                      "GPTN-S,Other,f32 image,lc-opg,3.0,2.45 to 3.67,3.0,0.5,1.5,0.83,0.42\n"
                      "GPTN-S,paper: phone,f16,FlashMem,8.35,,2.08,3.71,1.27,");
    has("findings.csv", "\ntable8,\"1.7 to 6.0 times less memory than SmartMem, 3.5 on "
                        "average\",Other,\"3.00 to 3.00 ");
    has("figure10.csv", ",Other,2,GPTN-S f32,3.0,");
    has_not("table7.csv", "750.0");
    has("index.html", "<b class=\"i\">in part</b> Other: 3.00 to 3.00");
}
END_TEST

/* Three sequences of two runs: medians 900 and 100 ms, 500 and 600; sums 1000 and 1100 after the second. The
 * paper's GPTN-S: 4757 / (577 - 59). */
START_TEST(warm_runs)
{
    rows_report_csv();
    has("warm.csv", "\nGPTN-S,preload,f32 image direct,495.0,900.0,100.0,,1000.0,2,,\n"
                         "GPTN-S,latency,f32 image direct,0.0,500.0,600.0,,1100.0,2,from run 2,9.2\n");
    has("findings.csv", "\nwarm,after 3 to 12 warm runs SmartMem overtakes,Fixture,\"GPTN-S, 0 MB kept: streaming "
                        "took 1.09 of preload's time over 2 runs\",agrees,"); /* 3250 / 2970 ms */
    has_not("table7.csv", "kept");
}
END_TEST

/* Disk over kernels: 300 / 600 ms, from memory 60 / 600; a preload from memory has textures full
 * after 120 ms. The paper's ResNet: 25.6 M x 2 B at 1.5 GB/s over 33 ms; (1470 + 33) / 473. */
START_TEST(regime)
{
    rows_report_csv();
    has("regime.csv", "\nspeed-up over preload,measured: Fixture,0.5,2.0,");
    has("regime.csv", "\nspeed-up over preload,emulated disk: Fixture,0.1,1.5,");
    has("regime.csv", ",emulated disk: Fixture,0.1,0.2,,,GPTN-S f32 ram,1.5\n");
    has("regime.csv", "(over SmartMem),1.03434343434343,3.17758985200846,,,ResNet,\n");
}
END_TEST

START_TEST(tables_of_the_paper)
{
    rows_report_csv();
    has("table1.csv", "\nGPTN-S,preload,f32 image,500.0,400.0,300.0,400.0,600.0,0.67,1026,610,631,"
                      "2898,337,10.47,\n");
    has("table1.csv", "\nSD-UNet,preload,,,,,,,,4858,1800,4159,17588,1647,13.2,not run on this "
                      "device: scripts/study tables\n");
    has("table6.csv", "\nResNet,25.5,");
    has("table9.csv", "\nDeepViT,lc-opg,,,,,5.7,4.5,4.5,this device does not tell\n");
    has_not("table9.csv", "GPTN-S");
    has("figure1.csv", "\ndisk,");
}
END_TEST

START_TEST(other_capacities_have_their_own_table)
{
    rows_report_csv();
    has("predictor.csv", "\nGPTN-S,lc-opg,f32 image,elemental=3 reusable=0.2,random 1,440.0,"
                         "\"[450.00, 550.00]\",");
    has("predictor.csv", ",2.0,8.0,");
    has_not("table7.csv", "440.0");
    has_not("predictor.csv", "500.0");
}
END_TEST

/* Three kinds of capacities, 400 to 800 ms, +-10 %; then the machine was twice as slow for the last. */
START_TEST(what_capacities_are_worth)
{
    for (int i = 0; i < 3; i++) {
        char sql[400];

        snprintf(sql, sizeof(sql), "INSERT INTO plan VALUES (%d, '2020', 1, 'ViT', 'f32', 'image', 'lc-opg', 'bytes', "
                 "'streamed', NULL, NULL, 0.9, 1, 'kind %d; reusable=0.2', 8, 8, 'OPTIMAL', 1, 1, NULL, 1, NULL, NULL)",
                 20 + i, i);
        exec(sql);
        snprintf(sql, sizeof(sql), "model = 'ViT', plan_id = %d, bound_ns = 300e6", 20 + i);
        another("lc-opg", "pipelined", sql, 400 + 200 * i, 100);
    }
    rows_report_csv();
    has("summary.csv", "(ViT, lc-opg, reusable=0.2): kind 0 took 400 ms [360, 440], kind 2 800 [720, 880], the most of 3: "
                       "it matters.\"\n");
    exec("UPDATE run SET bound_ns = 600e6 WHERE plan_id = 22");
    report_again();
    has("summary.csv", "the most of 3: no more than disk and kernels alone changed, 300 and 600 then.\"\n");
}
END_TEST

/* The paper's row: SmartMem 4757 + 59 ms, 541 MB; FlashMem 577 ms, 260 MB. */
START_TEST(tables_7_and_8)
{
    rows_report_csv();
    has("table7.csv", "\nGPTN-S,preload,f32 image,3,400.0,600.0,1000.0,900 to 1100,1000.0,,,1.5,1.67,yes,4816,\n");
    has("table7.csv",
        "\nGPTN-S,lc-opg,f32 image,3,20.0,480.0,500.0,450 to 550,500.0,2.0,2 of 3,1.5,0.83,yes,577,8.35\n");
    has("table7.csv", "\nA<B&C,lc-opg,f32 image,3,40.0,40.0,80.0,70.0 to 95.0,80.0,1.25,3 of 3,1.5,0.13,yes,,\n");
    has("table7.csv", "\nAlone,greedy,f32 image,3,40.0,60.0,100.0,90 to 110,100.0,,,1.5,0.17,yes,,\n");
    has_not("table7.csv", "999");
    /* Other frameworks below ours, the newest of each; of models that we ran, on our device. */
    has("table7.csv", "\n"
                      "GPTN-S,mnn 3.6,f32 cpu 1 thread: no such operator,0,,,,,,,,,,,,\n"
                      "GPTN-S,onnxruntime 1.2,f32 cpu 2 threads,7,30.0,20.0,50.0,40.0 to 60.0,,,,,,,,\n");
    has_not("table7.csv", "Unrun");
    has("table8.csv", "\nGPTN-S,onnxruntime 1.2,f32 cpu 2 threads,6.0,,,,0.3,8.0,,,,\n");
    has("table8.csv", "\nGPTN-S,preload,f32 image,400.0,500.0,,,7.0,,,300.0,541,\n");
    has("table8.csv", "\nGPTN-S,lc-opg,f32 image,100.0,250.0,4.0,2.0,7.0,,,300.0,260,2.08\n");
    has("table8.csv", "\nA<B&C,lc-opg,f32 image,80.0,100.0,0.5,0.5,7.0,,,300.0,,\n");
}
END_TEST

/* The paper's bound for GPTN-S: 164 M x 2 B / 1.5 GB/s = 218.7 ms, over 59 ms of execution. */
START_TEST(bounds)
{
    rows_report_csv();
    has("bounds.csv",
        "\nGPTN-S,lc-opg,f32 image,300.0,600.0,500.0,0.83,450.0,0.75,1.5,1.8,2.64,1.27\n");
}
END_TEST

/* 400 ms were predicted, on a CPU: more than 0.85 x 450, less than 0.85 x 500. Layers: 95 for 100 ms, 405 for 300. */
START_TEST(predicted_against_measured)
{
    rows_report_csv();
    has("predicted.csv", "\nGPTN-S,lc-opg,Fixture,f32 image,400.0,500.0,0.8,no; of an end of the interval,200.0,250.0,0.8,"
                         "2,50.0,25.0,1.25\n");
    has("predicted.csv", "\nAlone,greedy,Fixture,f32 image,400.0,100.0,4.0,no,,50.0,,,,,\n");
    has("predictions.csv", "\nintegrated latency,Fixture,1,GPTN-S,0.8,0.727272727272727,0.888888888888889,");
    has("predictions.csv", "\npeak memory,Fixture,1,GPTN-S,0.8,0.8,0.8,");
    has("layers.csv", "\nFixture: GPTN-S f32,add,2,1.35,300.0,405.0,0.866025403784439,0,b,f32 image,lc-opg\n"
                      "Fixture: GPTN-S f32,matmul,1,0.95,100.0,95.0,0.5,7,a,f32 image,lc-opg\n");
}
END_TEST

START_TEST(summary_in_words)
{
    rows_report_csv();
    has("summary.csv", "\n\"Predicted integrated latency is within 15 % of the measured: read in place 0 of 2, "
                       "moved by kernels 1 of 12, from emulated disks 0 of 2 runs.\"\n");
    has("by_model.csv",
        "GPTN-S (f32 image): streaming (lc-opg) 500 ms [450, 550] against preload 1000 ms "
        "[900, 1100]: 2.00 times faster. Average memory 100 of 400 MB, 4.00 times less; "
        "peak 250 of 500 MB. Over a preload that wastes nothing, overlap gains at most 1.50 "
        "times. The paper, on a phone, against SmartMem: 8.3 times faster, 2.1 times less memory.");
    has("by_model.csv",
        "80.0 ms [70.0, 95.0] against preload 100 ms [90, 110]: intervals overlap: no "
        "difference shown (medians: 1.25 times faster). Average memory 80.0 of 40.0 MB, "
        "2.00 times more");
    has("by_model.csv", "100 ms [90, 110]; preload was not run beside it, so nothing is compared.");
    has("index.html", "<li>GPTN-S (f32 image): streaming (lc-opg) 500 ms");
}
END_TEST

START_TEST(capacity)
{
    rows_report_csv();
    has("capacity.csv", "\nreusable,matmul,Fixture,1,0 (0 to 0),1.5 (1.5 to 1.5),>= 2 (2 to 2),0,1,"
                         "+20 %,high\nreusable,all of the class,Fixture,1,");
}
END_TEST

START_TEST(figure5_forms)
{
    rows_report_csv();
    has("figure5.csv", "\nMatMul m=4 n=2 k=3,naive,0.0,1.0,1.0,1.0,,");
    has("figure5.csv", "\nMatMul m=4 n=2 k=3,naive,2.0,1.0,");
    has("figure5.csv", "\nMatMul m=4 n=2 k=3,branching,2.0,1.5,1.5,1.5,1.0,\"m=4,n=2,k=3\","
                       "\"image,direct,TM=1\"\nMatMul m=4 n=2 k=3,copy,1.0,1.05,");
    has("figure5.csv", "copy,2.0,1.25,");
    has_not("figure5.csv", "4.5");
    has_not("figure5.csv", "k=9");
}
END_TEST

START_TEST(noisy_apart)
{
    rows_report_csv();
    has("regressor.csv", "\n\"latency, f32 image\",all,2,25.0,50.0,10.0,20.0,0.9,1,100.0,5.0\n");
    has("operators.csv", "\n\"latency, f32 image\",matmul,2,25.0,50.0,10.0,,,,,100.0\n");
}
END_TEST

/* A second measurement was scored by operator alone: it has no row among those of all samples. */
START_TEST(scores_of_the_regressor)
{
    rows_report_csv();
    has("scores.csv", "\nshapes never seen,\"ours, of the next three\",Fixture,f32,2,25.0,50.0,"
                      ",,,\nshapes never seen,a roofline,Fixture,f32,2,0.0,12.5,,,,\n"
                      "never seen: ResNet,ours,Fixture,f32,4,50.0,75.0,,,,\n");
    has_not("scores.csv", "the same once more");
}
END_TEST

/* Newest by time: an older sample that was merged later has the greater id. */
START_TEST(newest_by_time)
{
    rows_report_csv();
    has("figure5.csv", "1.5");
    exec("INSERT INTO session (uuid, device_id, started_utc, host, os, cpu, cpus, memory_bytes,"
         " program, compiler, command) SELECT 'zz', device_id, '2000', host, os, cpu, cpus,"
         " memory_bytes, program, compiler, command FROM session LIMIT 1");
    exec("INSERT INTO sample (session_id, config_id, taken_utc, status, base_median_ns, slowdown,"
         " slowdown_low, slowdown_high) SELECT (SELECT max(id) FROM session), config_id, '2000',"
         " 'ok', 1, 77, 77, 77 FROM sample WHERE slowdown IS NOT NULL");
    exec("INSERT INTO regressor SELECT NULL, device_id, '2000', target, dtype, path, samples, shapes,"
         " folds, options, 'older', model_json FROM regressor");
    report_again();
    has_not("figure5.csv", "77");
    has_not("capacity.csv", "77");
    has("figure4.csv", "matmul");
}
END_TEST

/* What Figure 7 divides, what Figure 8 draws in one panel and what the predictor's table ranks is of
 * one build of the program. */
START_TEST(of_one_build)
{
    exec("INSERT INTO session (uuid, device_id, started_utc, host, os, cpu, cpus, memory_bytes,"
         " program, compiler, command) SELECT 'zz', device_id, '2031', host, os, cpu, cpus,"
         " memory_bytes, 'another', compiler, command FROM session LIMIT 1");
    exec("UPDATE run SET session_id = (SELECT max(id) FROM session), taken_utc = '2031'"
         " WHERE options IN ('--split', '--lambda 0.5') AND kernel = 'pipelined'");
    exec("CREATE TEMP TABLE r AS SELECT * FROM run WHERE integrated_ns = 440e6");
    exec("UPDATE r SET id = NULL, integrated_ns = 441e6, taken_utc = '2031',"
         " session_id = (SELECT max(id) FROM session)");
    exec("CREATE TEMP TABLE p AS SELECT * FROM plan WHERE id = (SELECT plan_id FROM r)");
    exec("UPDATE p SET id = 99, capacity_source = replace(capacity_source, 'random', 'constant')");
    exec("INSERT INTO plan SELECT * FROM p");
    exec("UPDATE r SET plan_id = 99");
    exec("INSERT INTO run SELECT * FROM r");
    rows_report_csv();
    has("figure7.csv", "GPTN-S,3,+ plan,1.5,");
    has_not("figure7.csv", "+ kernel rewriting");
    has_not("figure7.csv", "all but");
    has("breakdown.csv", ",+ plan,");
    has("breakdown.csv", ",of another build than step 5: ");
    has_not("figure8.csv", "--lambda 0.5");
    has("predictor.csv", ",441.0,");
    has_not("predictor.csv", ",440.0,");
}
END_TEST

/* An eighth of GPTN-S's 300 MB is 37.5: within 110 MB is a newer build's answer to 100, within 140 is not. That an
 * older build ran again, within 105, does not make it newer. */
START_TEST(one_limit_of_memory_is_listed)
{
    exec("INSERT INTO session (uuid, device_id, started_utc, host, os, cpu, cpus, memory_bytes,"
         " program, compiler, command) SELECT column1, device_id, column2, host, os, cpu, cpus, memory_bytes,"
         " coalesce(column3, program), compiler, command FROM session,"
         " (VALUES ('newer', '2100', 'newer'), ('again', '2101', NULL)) WHERE session.id = 1");
    another("latency", "pipelined", "memory_limit_bytes = 200000000", 702, 80);
    another("latency", "pipelined", "memory_limit_bytes = 100000000", 701, 80);
    rows_report_csv();
    has("table7.csv", "f32 image within 100 MB,");
    has_not("table7.csv", "within 200 MB");
#define OF(uuid) ", session_id = (SELECT id FROM session WHERE uuid = '" uuid "')"
    another("latency", "pipelined", "memory_limit_bytes = 140000000" OF("newer"), 704, 80);
    report_again();
    has("table7.csv", "f32 image within 100 MB,");
    has_not("table7.csv", "within 140 MB");
    another("latency", "pipelined", "memory_limit_bytes = 110000000" OF("newer"), 703, 80);
    another("latency", "pipelined", "memory_limit_bytes = 105000000, taken_utc = '2101'" OF("again"), 705, 80);
    report_again();
    has("table7.csv", "\nGPTN-S,latency,f32 image within 110 MB,3,20.0,480.0,703.0,");
    for (const char *const *other = (const char *const[]){"100", "105", "140", "200", NULL}; *other; other++) {
        char setting[32];

        snprintf(setting, sizeof(setting), "within %s MB", *other);
        has_not("table7.csv", setting);
    }
    has("predictions.csv", "f32 image within 100 MB"); /* where all runs are looked at */
}
END_TEST

int main(void)
{
    Suite *s = suite_create("report");
    TCase *filled = rows_case(s, "filled", rows_open);

    tcase_add_test(filled, queues);
    tcase_add_test(filled, table_4_and_the_front);
    tcase_add_test(filled, breakdown);
    tcase_add_test(filled, figures_9_and_10);
    tcase_add_test(filled, another_device);
    tcase_add_test(filled, warm_runs);
    tcase_add_test(filled, regime);
    tcase_add_test(filled, tables_of_the_paper);
    tcase_add_test(filled, other_capacities_have_their_own_table);
    tcase_add_test(filled, what_capacities_are_worth);
    tcase_add_test(filled, tables_7_and_8);
    tcase_add_test(filled, bounds);
    tcase_add_test(filled, predicted_against_measured);
    tcase_add_test(filled, summary_in_words);
    tcase_add_test(filled, capacity);
    tcase_add_test(filled, figure5_forms);
    tcase_add_test(filled, noisy_apart);
    tcase_add_test(filled, scores_of_the_regressor);
    tcase_add_test(filled, newest_by_time);
    tcase_add_test(filled, of_one_build);
    tcase_add_test(filled, one_limit_of_memory_is_listed);
    return suite_run(s);
}
